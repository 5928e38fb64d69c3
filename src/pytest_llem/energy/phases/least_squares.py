"""Weighted least squares on a few terms, with scatter beyond what was stated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HALVINGS = 40
"""Of the interval in which the scatter is looked for: to twelve digits."""

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """A linear model of some observations, fitted with weights ``1 / variances``."""

    terms: tuple[Row, ...]
    """One row an observation."""
    values: Row
    """Of the observations."""
    variances: Row
    """Of the observations, scatter included."""
    shares: tuple[Row, ...]
    """How much each observation counts in each coefficient, one row a coefficient: every
    coefficient is such a sum over the observations, whatever they observe."""

    @property
    def coefficients(self) -> Row:
        """One for each term."""
        return tuple(math.fsum(map(mul, row, self.values)) for row in self.shares)

    @property
    def chi2(self) -> float:
        """Sum of squared residuals, each in units of its variance."""
        known = self.coefficients
        return math.fsum(
            (y - math.fsum(map(mul, known, row))) ** 2 / v
            for y, row, v in zip(self.values, self.terms, self.variances, strict=True)
        )

    @property
    def degrees(self) -> int:
        """Observations that are not used up by coefficients."""
        return len(self.values) - len(self.shares)

    def weighted_like(self, other: Fit) -> Fit:
        """The same terms and values, fitted with the variances of another fit."""
        return _weighted(self.terms, self.values, other.variances)


def fit(
    terms: Sequence[Sequence[float]],
    values: Sequence[float],
    stated: Sequence[float],
    units: Sequence[float],
) -> Fit:
    """Fit *values* as sums of *terms*, one row an observation.

    An observation's variance is what is *stated* of it, and a scatter that all share in their
    own *units*: its square is taken so large that the residuals are as large as expected, or
    zero if they are small enough without (Paule and Mandel 1982, Journal of Research of the
    National Bureau of Standards 87, 377; extended to regression by DerSimonian and Kacker
    2007, Contemporary Clinical Trials 28, 105).

    Raises:
        ValueError: there are not more observations than terms, or the terms are not
            independent.
    """
    rows, observed = tuple(map(tuple, terms)), tuple(values)
    degrees = len(observed) - len(rows[0])
    if degrees < 1:
        raise ValueError("there are not more observations than terms")

    def with_scatter(scatter2: float) -> Fit:
        variances = tuple(s + scatter2 * u * u for s, u in zip(stated, units, strict=True))
        return _weighted(rows, observed, variances)

    if with_scatter(0.0).chi2 <= degrees:
        return with_scatter(0.0)
    least = min(s / (u * u) for s, u in zip(stated, units, strict=True))
    return with_scatter(_root(lambda scatter2: with_scatter(scatter2).chi2 - degrees, least))


def _root(excess: Callable[[float], float], high: float) -> float:
    """Where *excess*, which falls from above zero at zero, is zero; *high* is a guess."""
    low = 0.0
    while excess(high) > 0:
        low, high = high, 4 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if excess(middle) > 0:
            low = middle
        else:
            high = middle
    return high


def _weighted(terms: tuple[Row, ...], values: Row, variances: Row) -> Fit:
    columns = list(zip(*terms, strict=True))
    weighted = [[x / v for x, v in zip(column, variances, strict=True)] for column in columns]
    normal = [[math.fsum(map(mul, row, column)) for column in columns] for row in weighted]
    shares = _solved(normal, weighted)
    return Fit(terms, values, variances, tuple(map(tuple, shares)))


def _solved(matrix: list[list[float]], right: list[list[float]]) -> list[list[float]]:
    """The rows that *matrix* turns into those of *right* (Gauss and Jordan, with pivots)."""
    rows = [[*left, *own] for left, own in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda j, i=i: abs(rows[j][i]))  # type: ignore[misc]
        rows[i], rows[pivot] = rows[pivot], rows[i]
        if not rows[i][i]:
            raise ValueError("the terms are not independent")
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(size):
            if j != i and rows[j][i]:
                factor = rows[j][i]
                rows[j] = [b - factor * a for a, b in zip(rows[i], rows[j], strict=True)]
    return [row[size:] for row in rows]
