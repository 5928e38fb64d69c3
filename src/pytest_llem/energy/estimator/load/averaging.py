"""Whether power readings average over many refreshes: what the counter says of that."""

from __future__ import annotations

import math
from bisect import bisect_right
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.sample import Node, Sample

LEAST = 10
"""Fewer readings say nothing."""
LEAST_W = 0.1
"""Nor do readings that hardly differ."""


def unexplained_share(
    nodes: Sequence[Node], samples: Sequence[Sample], origin_ns: float, averaging_s: float
) -> float | None:
    """How far power readings are from the counter's mean over so long before, beside their spread.

    Over many refreshes the counter knows that mean almost exactly, so that next to nothing
    is left of the spread if readings do average over them, and about all of it if they do not.

    Args:
        nodes: instants at which the counter is known.
        samples: power readings, each at its refresh.
        origin_ns: the instant that nodes count from.
        averaging_s: several refreshes.

    Returns:
        From 0 up, mostly to 1; ``None`` where readings are few or all alike.
    """
    times = [time_s for time_s, _ in nodes]
    misses, powers = [], []
    for sample in samples:
        end_s = (sample.time_ns - origin_ns) / 1e9
        if times[0] <= end_s - averaging_s and end_s <= times[-1]:
            used_j = _until(nodes, times, end_s) - _until(nodes, times, end_s - averaging_s)
            misses.append(sample.power_w - used_j / averaging_s)
            powers.append(sample.power_w)
    if len(powers) < LEAST or (spread_w := pstdev(powers)) < LEAST_W:
        return None
    return math.sqrt(fmean(miss * miss for miss in misses)) / spread_w


def _until(nodes: Sequence[Node], times: Sequence[float], at_s: float) -> float:
    """Energy at an instant, on the straight line between two nodes."""
    number = min(bisect_right(times, at_s), len(nodes) - 1)
    (start_s, start_j), (end_s, end_j) = nodes[number - 1], nodes[number]
    return start_j + (end_j - start_j) * (at_s - start_s) / (end_s - start_s)
