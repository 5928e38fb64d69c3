"""What was read around a window: energies between nodes, and power readings."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_llem.energy.shape import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.refresh import Placed

SECOND_NS = 1e9
REACH = 2
"""Refreshes of the counter on either side of one that help to shape it."""
POWER_REACH, MOST_POWER_REACH = 3, 6
"""Power readings on either side of an instant that help, and the most of them where they
come more often than the counter refreshes."""
COUNTER_NOISE, POWER_NOISE = 1e-4, 0.1
"""Own variance of what a refresh's energy and a power reading say, in units of that of
power. A reading that averages over less than its own refresh is a sample, not a mean."""
WHOLE_NOISE = 0.003
"""The same for a power reading that averages over its whole refresh."""
PLACES = 6
"""Instants beside both edges at which the readings are tried."""


class Nodes(Protocol):
    """Instants at which the energy is known, in order."""

    period_ns: float | None

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Placed: ...

    def last_before(self, t_ns: float) -> int:
        """Number of the last node at or before an instant; -1 if there is none."""
        ...


class Sample(NamedTuple):
    """A power reading and the instant at which it was refreshed."""

    time_ns: float
    power_w: float


class Surroundings:
    """Nodes and power readings around a window whose edges both lie between nodes."""

    def __init__(
        self,
        nodes: Nodes,
        samples: Sequence[Sample],
        power_period_s: float | None,
        edges_ns: tuple[int, int],
    ) -> None:
        self._nodes, self._samples = nodes, samples
        self._times_ns = [sample.time_ns for sample in samples]
        self._edges_ns = edges_ns
        self.period_s = self._median_period_s()
        """Time between nodes near the edges, in seconds."""
        self.power_period_s = power_period_s or self.period_s
        """Time between power readings, in seconds; that between nodes if it is unknown."""
        ratio = self.period_s / self.power_period_s
        self._power_reach = round(min(max(ratio, 1.0) * POWER_REACH, MOST_POWER_REACH))

    @property
    def has_power(self) -> bool:
        """Whether there are enough power readings to say anything about shape."""
        return len(self._samples) >= 2 * POWER_REACH

    def interval(self, t_ns: float) -> tuple[int, Placed, Placed]:
        """Number of the node before an instant, that node and the next."""
        number = self._nodes.last_before(t_ns)
        return number, self._nodes[number], self._nodes[number + 1]

    def half_ns(self, number: int) -> float:
        """How badly the instant of a node is known."""
        return self._nodes[number].half_ns

    def boxes(self, at_ns: float, averaging_s: float) -> list[Box]:
        """Energies around an instant, in seconds from the node before it.

        *averaging_s* is what power readings are taken to average over; with 0 they
        are left out.
        """
        _, origin, _ = self.interval(at_ns)
        boxes = []
        for number in self._around(at_ns, REACH):
            a, b = self._nodes[number], self._nodes[number + 1]
            start_s = (a.time_ns - origin.time_ns) / SECOND_NS
            end_s = (b.time_ns - origin.time_ns) / SECOND_NS
            boxes.append(Box(start_s, end_s, b.value - a.value, COUNTER_NOISE))
        if averaging_s:
            boxes += self._power_boxes(at_ns, origin.time_ns, averaging_s)
        return boxes

    def places(self) -> list[float]:
        """Both edges, and instants between and around them."""
        start_ns, end_ns = self._edges_ns
        beyond_ns = 8 * self.period_s * SECOND_NS
        low_ns = max(start_ns - beyond_ns, self._nodes[0].time_ns)
        high_ns = min(end_ns + beyond_ns, self._nodes[len(self._nodes) - 1].time_ns)
        step_ns = (high_ns - low_ns) / (PLACES + 1)
        return [start_ns, end_ns, *(low_ns + step_ns * i for i in range(1, PLACES + 1))]

    def means_w(self, at_ns: float, reach: int) -> list[Sample]:
        """Mean power between nodes around an instant, each at the middle of its interval."""
        means = []
        for number in self._around(at_ns, reach):
            a, b = self._nodes[number], self._nodes[number + 1]
            power_w = (b.value - a.value) / (b.time_ns - a.time_ns) * SECOND_NS
            means.append(Sample((a.time_ns + b.time_ns) / 2, power_w))
        return means

    def samples_near(self, at_ns: float, reach: int) -> Sequence[Sample]:
        """Power readings on either side of an instant."""
        after = bisect_left(self._times_ns, at_ns)
        return self._samples[max(after - reach, 0) : after + reach]

    def power_moves_slowly(self) -> bool:
        """Whether power readings change far less than the mean power between nodes does."""
        middle_ns = sum(self._edges_ns) / 2
        first, last = (self._nodes.last_before(t) for t in self._edges_ns)
        means = self.means_w(middle_ns, (last - first) // 2 + 8)
        return _moves(self._samples) < 0.25 * _moves(means)

    def _median_period_s(self) -> float:
        numbers = [n for t in self._edges_ns for n in self._around(t, 2 * REACH)]
        gaps = [self._nodes[n + 1].time_ns - self._nodes[n].time_ns for n in numbers]
        return median(gaps) / SECOND_NS

    def _around(self, t_ns: float, reach: int) -> range:
        """Numbers of the nodes whose following interval is near an instant."""
        number = self._nodes.last_before(t_ns)
        return range(max(number - reach, 0), min(number + reach + 1, len(self._nodes) - 1))

    def _power_boxes(self, at_ns: float, origin_ns: float, averaging_s: float) -> list[Box]:
        share = min(averaging_s / self.power_period_s, 1.0)
        noise = POWER_NOISE * (1 - share) + WHOLE_NOISE
        boxes = []
        for sample in self.samples_near(at_ns, self._power_reach):
            end_s = (sample.time_ns - origin_ns) / SECOND_NS
            boxes.append(Box(end_s - averaging_s, end_s, sample.power_w * averaging_s, noise))
        return boxes


def _moves(samples: Sequence[Sample]) -> float:
    """Mean square of the change from one to the next."""
    steps = [(b.power_w - a.power_w) ** 2 for a, b in pairwise(samples)]
    return fmean(steps) if steps else 0.0
