"""How far values scatter, told so that a few far ones do not matter."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LOWER_QUARTILE, MEDIAN = 0.319, 0.674
"""Of the absolute value of a standard normal variable."""


def by_quartile(away: Sequence[float]) -> float:
    """Standard deviation by the lower quartile: jumps make few of them, a fluctuation all.

    Args:
        away: how far each is off, from 0 up; one or more.
    """
    return min(sorted(away)[len(away) // 4] / LOWER_QUARTILE, _root(away))


def by_median(away: Sequence[float]) -> float:
    """Standard deviation by the median, which stragglers at jumps do not move."""
    return min(median(away) / MEDIAN, _root(away))


def _root(away: Sequence[float]) -> float:
    """Root mean square: never too small, where jumps are among the values far too large.

    What repeats itself is seldom near its middle, so that its quartile, or its median, is
    that of a larger normal one.
    """
    return math.sqrt(fmean(one * one for one in away))
