"""Whether values rise or fall over time, told robustly and with an interval."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.student import NORMAL_95

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_POINTS = 4
"""Fewer points show no trend: with three, one order of values in three is monotonic by chance."""


class Trend(NamedTuple):
    """A slope, and the ends of its interval, in units of the value a second."""

    slope: float
    low: float
    high: float

    @property
    def farthest(self) -> float:
        """The steepest slope in the interval, either way; never negative."""
        return max(abs(self.low), abs(self.high))

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def significant(self) -> bool:
        """Whether a level course is outside the interval."""
        return self.low > 0 or self.high < 0


def trend(times_s: Sequence[float], values: Sequence[float]) -> Trend:
    """Median of the slopes between all pairs (Theil 1950), with Sen's 95 % interval.

    The interval lies between order statistics of the slopes, by the normal
    approximation to Kendall's S (Sen, Estimates of the Regression Coefficient Based on
    Kendall's Tau, JASA 63, 1968); with 4 or 5 points it is all slopes there are, which
    covers 92 and 98 %. A few odd points move neither.

    Args:
        times_s: increasing, in seconds.
        values: as many, at least :data:`LEAST_POINTS`.

    Raises:
        ValueError: there are too few points.
    """
    count = len(values)
    if count < LEAST_POINTS:
        raise ValueError(f"{count} points show no trend")
    pairs = combinations(zip(times_s, values, strict=True), 2)
    slopes = sorted((b - a) / (t - s) for (s, a), (t, b) in pairs)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    outside = max(math.floor((len(slopes) - NORMAL_95 * deviation) / 2), 0)
    if outside < 2:  # noqa: PLR2004 - rounding to the outermost but one covers too little
        outside = 0
    return Trend(median(slopes), slopes[outside], slopes[len(slopes) - 1 - outside])
