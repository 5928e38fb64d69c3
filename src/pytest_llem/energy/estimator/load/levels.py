"""Powers to which a load returns: where readings crowd together."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.courses.path import Level
from pytest_llem.energy.estimator.scatter import by_median, by_quartile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APART = 0.1
"""Readings further apart than this share of their spread belong to two crowds."""
CROWD = 0.04
"""Least share of the readings that makes a crowd, of three or more."""
WIDEST = 0.5
"""A crowd wider than this share of the spread is none."""
MOST = 3
"""The largest crowds only, as every level doubles the paths."""
FRESH = 0.4
"""Chance of a level that was not seen before, where crowds are known."""
CLEAR = 0.6
"""Share of the readings in crowds from which readings are taken to show plateaus."""
LEAST_W = 0.01
"""No power reading is taken to be steadier."""


class Levels(NamedTuple):
    """What plateaus there are, and how far readings of one plateau scatter."""

    levels: tuple[Level, ...]
    mean_ripple_w: float
    """Standard deviation of the means over refreshes of the counter."""
    power_ripple_w: float
    """Standard deviation of power readings, at least what makes them of one crowd."""
    plateau_ripple_w: float
    """Standard deviation of power readings, or of means without them, about their plateau."""

    @property
    def spread_w(self) -> float:
        """Standard deviation of all readings, widened a little for those not seen."""
        return math.sqrt(self.levels[0].variance_w2)

    @property
    def middle_w(self) -> float:
        """Mean of all readings."""
        return self.levels[0].mean_w


def levels_of(means_w: Sequence[float], powers_w: Sequence[float]) -> Levels:
    """The levels among means over refreshes and power readings (which may be none)."""
    seen = powers_w or means_w
    middle_w, spread_w = fmean(seen), spread_of_w(means_w, powers_w)
    crowds = sorted(_crowds(sorted(seen), spread_w), key=len, reverse=True)[:MOST]
    crowded = sum(map(len, crowds))
    mean_ripple_w = _ripple_w(means_w, spread_w)
    power_ripple_w = _ripple_w(powers_w, spread_w) if powers_w else mean_ripple_w
    plateau_ripple_w = math.sqrt(max(power_ripple_w**2 - LEAST_W**2, 0.0))
    if powers_w and crowded >= CLEAR * len(seen):
        inner = math.fsum(_about(crowd, fmean(crowd)) * len(crowd) for crowd in crowds) / crowded
        power_ripple_w = math.sqrt(inner) + 0.002 * spread_w
        each = math.fsum(_typical(crowd) ** 2 * len(crowd) for crowd in crowds) / crowded
        plateau_ripple_w = math.sqrt(each)
    fresh = Level(FRESH if crowds else 1.0, middle_w, 1.5 * spread_w**2)
    known = [
        Level(
            (1 - FRESH) * len(crowd) / crowded,
            fmean(crowd),
            _about(crowd, fmean(crowd)) + (0.01 * spread_w) ** 2,
        )
        for crowd in crowds
    ]
    return Levels((fresh, *known), mean_ripple_w, power_ripple_w, plateau_ripple_w)


def spread_of_w(means_w: Sequence[float], powers_w: Sequence[float]) -> float:
    """Standard deviation of means over refreshes or of power readings, whichever is larger."""
    middle_w = fmean(powers_w or means_w)
    return math.sqrt(max(_about(powers_w or means_w, middle_w), _about(means_w, middle_w), 1.0))


def _crowds(ordered_w: Sequence[float], spread_w: float) -> Iterator[list[float]]:
    crowd = [ordered_w[0]]
    for a, b in pairwise([*ordered_w, math.inf]):
        if b - a <= APART * spread_w:
            crowd.append(b)
            continue
        narrow = crowd[-1] - crowd[0] < WIDEST * spread_w
        if narrow and len(crowd) >= max(CROWD * len(ordered_w), 3):
            yield crowd
        crowd = [b]


def _ripple_w(values_w: Sequence[float], most_w: float) -> float:
    """Scatter on plateaus: by the smallest quarter of the changes, which cross no jump."""
    changes = [abs(b - a) for a, b in pairwise(values_w)]
    if not changes:
        return LEAST_W
    return min(max(by_quartile(changes) / math.sqrt(2), LEAST_W), most_w)


def _typical(values: Sequence[float]) -> float:
    """Standard deviation about the median."""
    middle = median(values)
    return by_median([abs(value - middle) for value in values])


def _about(values: Sequence[float], middle: float) -> float:
    return fmean((value - middle) ** 2 for value in values)
