"""A device's energy counter around a window: instants at which its energy is known."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.readings import readings_between
from pytest_llem.energy.estimator.refreshes.placing import Refreshes
from pytest_llem.energy.estimator.refreshes.refresh import Placed, observe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.meter import Capability
    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.estimator.surroundings import Nodes
    from pytest_llem.energy.sampling.trace import Trace

MARGIN_NS = 4_000_000_000
"""How far around a stretch of time readings are looked at."""
REPEATS = 0.03
"""A counter that repeats itself in fewer of its readings is taken to run continuously."""


class Points:
    """Readings of a counter that is new at every look."""

    refreshed = False

    def __init__(self, points: Sequence[Placed]) -> None:
        self._points = points
        self._times_ns = [point.time_ns for point in points]
        gaps = [b - a for a, b in pairwise(self._times_ns)]
        self.period_ns = sum(gaps) / len(gaps) if gaps else None

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, number: int) -> Placed:
        return self._points[number]

    def last_before(self, t_ns: float) -> int:
        """Number of the last point at or before *t_ns*; -1 if there is none."""
        return bisect_right(self._times_ns, t_ns) - 1


def counter_nodes(readings: Readings, capability: Capability) -> Nodes:
    """The instants at which the counter is known, from readings that all gave an energy."""
    if capability.method == "estimated":
        stale_s = capability.update_period_s or 0.0
        return Points(_points(readings, round(stale_s * 1e9)))
    pairs = list(pairwise(readings.energy_j))
    if sum(a == b for a, b in pairs) >= REPEATS * len(pairs):
        return Refreshes(observe(readings.before_ns, readings.after_ns, readings.energy_j))
    return Points(_points(readings, _stale_ns(readings, capability)))


def refresh_instants(trace: Trace, start_ns: int, end_ns: int) -> list[int]:
    """When the counter refreshed between two instants, as well as the readings tell.

    A window between two of them has no energy inside a refresh to be told; empty for a
    counter that runs continuously, or that there is none.
    """
    nodes = counter_nodes(
        readings_between(trace, start_ns - MARGIN_NS, end_ns + MARGIN_NS).with_energy(),
        trace.device.capability,
    )
    if not isinstance(nodes, Refreshes):
        return []
    instants = (round(nodes[i].time_ns) for i in range(len(nodes)))
    return [instant for instant in instants if start_ns <= instant <= end_ns]


def refresh_period_s(trace: Trace, start_ns: int, end_ns: int) -> float | None:
    """Time from one value of the counter to the next, as seen; ``None`` if it was not.

    For a counter that is new at every look that is the time between looks.
    """
    readings = readings_between(trace, start_ns - MARGIN_NS, end_ns + MARGIN_NS).with_energy()
    period_ns = counter_nodes(readings, trace.device.capability).period_ns
    return None if period_ns is None else period_ns / 1e9


def _points(readings: Readings, stale_ns: int) -> list[Placed]:
    """A reading holds from some time within its call, or up to *stale_ns* before."""
    columns = zip(readings.before_ns, readings.after_ns, readings.energy_j, strict=True)
    return [
        Placed((before + after - stale_ns) / 2, (after - before + stale_ns) / 2, energy_j)
        for before, after, energy_j in columns
    ]


def _stale_ns(readings: Readings, capability: Capability) -> int:
    """How old a value may be: no older than the closest two readings that still differed."""
    gaps = [a - b for b, a in zip(readings.before_ns, readings.after_ns[1:], strict=False)]
    documented = capability.update_period_s
    limit = [] if documented is None else [round(documented * 1e9)]
    return min([*gaps, *limit])
