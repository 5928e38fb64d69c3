"""Quantiles of Student's t without scipy, which the pytest process does not load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NORMAL_95 = 1.959963984540054
TABLE_95 = (
    12.7062047, 4.30265273, 3.18244631, 2.77644511, 2.57058184,
    2.44691185, 2.36462425, 2.30600414, 2.26215716, 2.22813885,
)  # fmt: skip
"""Two-sided 95 % quantiles for 1 to 10 degrees of freedom."""


def student_95(degrees: int) -> float:
    """Two-sided 95 % quantile of Student's t.

    Exact to six digits up to 10 degrees of freedom (table), and to five beyond
    (expansion 26.7.5 of Abramowitz and Stegun, Handbook of Mathematical Functions).

    Raises:
        ValueError: *degrees* is not positive.
    """
    if degrees < 1:
        raise ValueError("there is no t distribution with less than one degree of freedom")
    if degrees <= len(TABLE_95):
        return TABLE_95[degrees - 1]
    x = NORMAL_95
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    fourth = (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160
    return x + first / degrees + second / degrees**2 + third / degrees**3 + fourth / degrees**4


def mean_and_half_width_95(values: list[float]) -> tuple[float, float | None]:
    """Mean of *values* and the half-width of its 95 % interval; ``None`` from a single one."""
    if len(values) == 1:
        return values[0], None
    if min(values) == max(values):  # a mean is rounded, and would be a little off
        return values[0], 0.0
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, student_95(len(values) - 1) * math.sqrt(variance / len(values))


def ratio_terms(values: Sequence[float], amounts: Sequence[float]) -> list[float]:
    """Terms whose mean is the ratio of two sums, and whose scatter is what it is known by.

    Each is by how far its value misses what its amount makes it (Cochran 1977, Sampling
    Techniques, section 2.11). Of amounts that are all the same they are the values by their amount.

    Args:
        values: one or more.
        amounts: of each, none negative and not all zero.
    """
    total = math.fsum(amounts)
    ratio = math.fsum(values) / total
    first, amount = values[0], amounts[0]
    if all(v * amount == first * a for v, a in zip(values, amounts, strict=True)):
        return [ratio] * len(values)  # but for rounding
    mean = total / len(values)
    return [
        ratio + (value - ratio * own) / mean for value, own in zip(values, amounts, strict=True)
    ]


def ratio_and_half_width_95(
    values: Sequence[float], amounts: Sequence[float]
) -> tuple[float, float | None]:
    """Ratio of two sums, and the half-width of its 95 % interval; ``None`` from a single pair.

    Args:
        values: one or more.
        amounts: of each, none negative and not all zero.
    """
    half_width = mean_and_half_width_95(ratio_terms(values, amounts))[1]
    return math.fsum(values) / math.fsum(amounts), half_width
