"""Mean power of devices between instants: quick, for following a load while it runs."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.counter import counter_nodes
from pytest_llem.energy.estimator.readings import readings_between
from pytest_llem.energy.estimator.repair import implausible_steps, implausible_w, repaired

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.devices.meter import Capability
    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.sampling.trace import Trace


STALE_NS = 1_000_000_000
"""No card's power reading is known to refresh less often; one that repeats itself for longer is
taken to be new."""


class Course(NamedTuple):
    """Energy of one device over time, linear between the instants at which it is known."""

    times_ns: list[float]
    energies_j: list[float]

    def energy_j(self, time_ns: float) -> float:
        """Energy at an instant; that of the nearest known one beyond the ends."""
        after = bisect_right(self.times_ns, time_ns)
        if after in {0, len(self.times_ns)}:
            return self.energies_j[min(after, len(self.times_ns) - 1)]
        a_ns, b_ns = self.times_ns[after - 1], self.times_ns[after]
        a_j, b_j = self.energies_j[after - 1], self.energies_j[after]
        return a_j + (b_j - a_j) * (time_ns - a_ns) / (b_ns - a_ns)

    def nodes_between(self, start_ns: float, end_ns: float) -> int:
        """How many instants of known energy there are between two."""
        return bisect_right(self.times_ns, end_ns) - bisect_left(self.times_ns, start_ns)


def course_of(trace: Trace, start_ns: int, end_ns: int) -> Course:
    """The course of a trace's device from the readings between two instants.

    From the instants at which the energy counter was new, else from power readings, each
    of which is taken to hold until the next. A counter that is reset or leaps goes on
    from where it was; what it missed is missing.
    """
    limits = [fact.power_limit_w for fact in trace.facts if fact.power_limit_w is not None]
    most_w = implausible_w(max(limits, default=None))
    readings, _ = repaired(readings_between(trace, start_ns, end_ns), most_w)
    counters = readings.with_energy()
    if len(counters):
        return _by_counter(counters, trace.device.capability, most_w)
    return _by_power(readings.with_power())


def _by_counter(counters: Readings, capability: Capability, most_w: float) -> Course:
    times_ns: list[float] = []
    energies_j: list[float] = []
    for part in _parts(counters, most_w):
        nodes = counter_nodes(part, capability)
        placed = [nodes[number] for number in range(len(nodes))]
        if placed:
            base_j = energies_j[-1] - placed[0].value if energies_j else 0.0
            times_ns += [node.time_ns for node in placed]
            energies_j += [node.value + base_j for node in placed]
    return Course(times_ns, energies_j)


def _parts(counters: Readings, most_w: float) -> list[Readings]:
    """The readings between resets and leaps."""
    edges = [0, *implausible_steps(counters, most_w), len(counters)]
    return [counters.part(first, last) for first, last in pairwise(edges)]


def _by_power(powers: Readings) -> Course:
    """Known where the power reading changed, or had not for long."""
    times_ns = [(a + b) / 2 for a, b in zip(powers.before_ns, powers.after_ns, strict=True)]
    energies_j = [0.0]
    for (a_ns, b_ns), power_w in zip(pairwise(times_ns), powers.power_w, strict=False):
        energies_j.append(energies_j[-1] + power_w * (b_ns - a_ns) / 1e9)
    news = list(_news(times_ns, powers.power_w))
    return Course([times_ns[i] for i in news], [energies_j[i] for i in news])


def _news(times_ns: Sequence[float], powers_w: Sequence[float]) -> Iterator[int]:
    """Numbers of the readings that were new, seemed so by age, or are at the ends."""
    latest_ns = -math.inf
    for i, (time_ns, power_w) in enumerate(zip(times_ns, powers_w, strict=True)):
        old = time_ns - latest_ns >= STALE_NS
        if old or power_w != powers_w[i - 1] or i == len(times_ns) - 1:
            latest_ns = time_ns
            yield i


def mean_powers_w(courses: Sequence[Course], edges_ns: Sequence[int]) -> list[float]:
    """Mean power, summed over devices, between each of some instants and the next."""
    energies_j = [math.fsum(course.energy_j(edge) for course in courses) for edge in edges_ns]
    return [
        (b_j - a_j) / (b_ns - a_ns) * 1e9
        for (a_j, b_j), (a_ns, b_ns) in zip(pairwise(energies_j), pairwise(edges_ns), strict=True)
    ]
