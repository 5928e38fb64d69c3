"""The tail of Fisher's F distribution without scipy, which the pytest process does not load."""

from __future__ import annotations

import math

TERMS = 400
"""Of the continued fraction; it takes fewer than this up to 10 000 degrees of freedom."""


def f_tail(value: float, numerator: int, denominator: int) -> float:
    """Chance that an F variable of so many degrees of freedom exceeds *value*.

    By the regularised incomplete beta function (DLMF 8.17, https://dlmf.nist.gov/8.17).

    Raises:
        ValueError: a number of degrees of freedom is not positive.
    """
    if numerator < 1 or denominator < 1:
        raise ValueError("there is no F distribution with less than one degree of freedom")
    if value <= 0:
        return 1.0
    ratio = numerator * value / denominator
    if math.isinf(ratio):
        return 0.0
    return _beta(1 / (1 + ratio), ratio / (1 + ratio), denominator / 2, numerator / 2)


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The function at *x*, where *rest* is 1 - x."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(rest, x, b, a)
    if not x:
        return 0.0
    log = a * math.log(x) + b * math.log(rest)
    log -= math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(log) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22, from its end."""
    value = 1.0
    for step in range(TERMS, 0, -1):
        half = step // 2
        place = a + step
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((place - 1) * place)
        else:
            term = half * (b - half) * x / ((place - 1) * place)
        value = 1 + term / value
    return value
