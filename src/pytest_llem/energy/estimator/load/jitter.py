"""How far refreshes may be off a regular grid, by how the counter's steps scatter."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.load.hidden import BENDS, missed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.sample import Node

LOWER_DECILE = 0.1257
"""Of the absolute value of a standard normal variable."""


def jitter_ns(nodes: Sequence[Node]) -> float:
    """The deviation of refreshes that would explain how steps scatter, in nanoseconds.

    A step between refreshes that are misplaced misses what its neighbours say by its power
    times that. So it does where power changes, too; but no step misses by less than what
    refreshes jitter, and the steadiest tenth of them tell it. Infinite where there are too
    few to tell.

    Args:
        nodes: instants in seconds at which the counter refreshed as far as is known, and the
            energy at each.
    """
    steps = [(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(nodes)]
    return 1e9 * min((_by_bend(steps, bend) for bend in BENDS), default=math.inf)


def _by_bend(steps: Sequence[tuple[float, float]], bend: Sequence[float]) -> float:
    reach = len(bend) - 1
    powers_w = [step_j / step_s for step_j, step_s in steps]
    misses_s = []
    for i, miss_w in enumerate(missed(powers_w, bend), start=reach):
        mean_w = fmean(powers_w[i - reach : i + reach + 1])
        if mean_w > 0:
            misses_s.append(abs(miss_w) / mean_w * steps[i][1])
    if not misses_s:
        return math.inf
    weights = [bend[abs(k)] for k in range(-reach, reach + 1)]
    gains = [b - a for a, b in pairwise([0.0, *weights, 0.0])]
    unit = math.sqrt(math.fsum(gain * gain for gain in gains))
    return sorted(misses_s)[len(misses_s) // 10] / LOWER_DECILE / unit
