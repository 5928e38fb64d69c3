"""What was read around a window: energies between nodes, and power readings."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Protocol

from pytest_llem.energy.estimator.courses.events import Window
from pytest_llem.energy.estimator.courses.shape import Box
from pytest_llem.energy.estimator.courses.steps import Noise
from pytest_llem.energy.estimator.load.whole import Whole
from pytest_llem.energy.estimator.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.refreshes.refresh import Placed

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
STRETCH = 3
"""Refreshes on either side of one over which paths of power are followed."""
FAR_S = 2.0
"""How far beyond either edge the load as a whole is judged by."""
SLIP_S = 0.002
"""How far the instants of power readings, which are polled less finely, may be off at least;
how far each is off is known to ``Sample.half_ns``."""
MOST_SLIP = 0.3
"""The same at most, in periods: beyond that a reading tells nothing of when power jumped."""
SAME = 0.1
"""A power reading over the same time as a refresh of the counter, to so much of a period,
says nothing new; counted twice, what was read once would seem well predicted."""
FINE_NOISE = 0.001
"""The same for a power reading of power that bends, which is its mean at the middle of what was
averaged. What is left is off for all readings alike."""
LEAST_SLIP_S = 0.0005
"""The instants of all power readings may be off together by so much at least."""
GAIN = 0.03
"""By this share what they say of power may differ from what the counter does, all alike."""
LEAST_J2 = 1e-6
"""No reading is taken to be finer."""
LEAST_WINDOW = 0.2
"""A power reading whose window is cut to less is left out."""


class Nodes(Protocol):
    """Instants at which the energy is known, in order."""

    period_ns: float | None
    refreshed: bool
    """Whether they are refreshes, which may jitter, and not looks of our own."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Placed: ...

    def last_before(self, t_ns: float) -> int:
        """Number of the last node at or before an instant; -1 if there is none."""
        ...


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

    @cached_property
    def whole(self) -> Whole:
        """The load as a whole."""
        first, last = (self._nodes.last_before(t) for t in self._edges_ns)
        far = round(FAR_S / self.period_s)
        numbers = self._around(sum(self._edges_ns) / 2, (last - first) // 2 + far)
        nodes = [self._nodes[number] for number in range(numbers.start, numbers.stop + 1)]
        return Whole(
            nodes,
            self._samples_between(nodes[0].time_ns, nodes[-1].time_ns) if self.has_power else [],
            period_s=self.period_s,
            power_period_s=self.power_period_s,
            jitters=self._nodes.refreshed,
        )

    def aliased_j2(self, at_ns: float, energy_j: float) -> float | None:
        """Variance of an energy from the node before an instant by what is in step, if anything is."""
        _, before, _ = self.interval(at_ns)
        return self.whole.aliased_j2(at_ns, before, self.share(at_ns), energy_j)

    @property
    def has_power(self) -> bool:
        """Whether there are enough power readings to say anything about shape."""
        return len(self._samples) >= 2 * POWER_REACH

    def interval(self, t_ns: float) -> tuple[int, Placed, Placed]:
        """Number of the node before an instant, that node and the next."""
        number = self._nodes.last_before(t_ns)
        return number, self._nodes[number], self._nodes[number + 1]

    def boxes(self, at_ns: float, averaging_s: float, *, bends: bool) -> list[Box]:
        """Energies around an instant, in seconds from the node before it.

        Args:
            at_ns: the instant.
            averaging_s: what power readings are taken to average over; with 0 they are left out.
            bends: whether power is taken to bend, instead of changing direction all the time.
        """
        _, origin, _ = self.interval(at_ns)
        boxes = []
        for number in self._around(at_ns, REACH):
            a, b = self._nodes[number], self._nodes[number + 1]
            start_s = (a.time_ns - origin.time_ns) / SECOND_NS
            end_s = (b.time_ns - origin.time_ns) / SECOND_NS
            energy_j = b.value - a.value
            power_w = energy_j / (end_s - start_s)
            begins_j2, ends_j2 = (self.whole.misplaced_j2(node, power_w) for node in (a, b))
            boxes.append(Box(start_s, end_s, energy_j, COUNTER_NOISE, begins_j2, ends_j2))
        if averaging_s:
            power = self._power_boxes(at_ns, origin.time_ns, averaging_s, bends=bends)
            near_s = SAME * self.period_s
            boxes += [box for box in power if not any(_same(box, own, near_s) for own in boxes)]
        return boxes

    def stretch(
        self, at_ns: float, averaging_s: float
    ) -> tuple[list[tuple[float, float]], list[Window], float]:
        """Nodes and windows of power readings around an instant, and the instant, in seconds.

        Counted from the node before the instant. Windows that would overlap are cut.
        """
        number, origin, _ = self.interval(at_ns)
        last = min(number + STRETCH + 1, len(self._nodes) - 1)
        around = [self._nodes[i] for i in range(max(number - STRETCH, 0), last + 1)]
        nodes = [((node.time_ns - origin.time_ns) / SECOND_NS, node.value) for node in around]
        windows: list[Window] = []
        if 0 < averaging_s <= self.power_period_s:
            reach = round((STRETCH + 1) * max(self.period_s / self.power_period_s, 1.0))
            windows = self._windows(at_ns, reach, averaging_s, nodes)
        return nodes, windows, (at_ns - origin.time_ns) / SECOND_NS

    def noise(self, at_ns: float, averaging_s: float) -> Noise:
        """How far readings scatter on a plateau, and at an uncertain jump."""
        _, node, _ = self.interval(at_ns)
        levels = self.whole.levels
        mixed_j = levels.spread_w * _own_ns(node) / SECOND_NS
        ripple_j = levels.mean_ripple_w * self.period_s
        power_w = max(levels.power_ripple_w, levels.mean_ripple_w, 0.02 * levels.spread_w)
        power_j = power_w * (averaging_s or 1.0)
        return Noise(
            mixed_j**2 + ripple_j**2,
            power_j**2 + LEAST_J2,
            self._slip_s(at_ns),
            self.whole.transition,
        )

    def _slip_s(self, at_ns: float) -> float:
        """How far windows of power readings around an instant may be off."""
        near = self.samples_near(at_ns, self._power_reach) if self.has_power else ()
        halves_ns = [sample.half_ns for sample in near]
        most_s = MOST_SLIP * self.power_period_s
        return min(max(SLIP_S, max(halves_ns, default=0.0) / SECOND_NS), most_s)

    def node(self, number: int) -> Placed:
        """The node of a number."""
        return self._nodes[number]

    def is_last(self, number: int) -> bool:
        """Whether no node of a higher number is known."""
        return number + 1 >= len(self._nodes)

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

    def _samples_between(self, start_ns: float, end_ns: float) -> Sequence[Sample]:
        first, last = (bisect_left(self._times_ns, t_ns) for t_ns in (start_ns, end_ns))
        return self._samples[first:last]

    def share(self, t_ns: float) -> float:
        """Where in its refresh an instant lies, from 0 to 1."""
        _, a, b = self.interval(t_ns)
        return (t_ns - a.time_ns) / (b.time_ns - a.time_ns)

    def pattern(self, t_ns: float) -> list[float]:
        """Powers around an instant, in an order of their own."""
        found = [mean.power_w for mean in self.means_w(t_ns, REACH)]
        if self.has_power:
            found += [sample.power_w for sample in self.samples_near(t_ns, self._power_reach)]
        return found

    def _windows(
        self,
        at_ns: float,
        reach: int,
        averaging_s: float,
        nodes: Sequence[tuple[float, float]],
    ) -> list[Window]:
        _, origin, _ = self.interval(at_ns)
        windows: list[Window] = []
        slip_s = self._slip_s(at_ns)
        free_s = nodes[0][0]
        for sample in self.samples_near(at_ns, reach):
            end_s = (sample.time_ns - origin.time_ns) / SECOND_NS
            start_s = max(end_s - averaging_s, free_s)
            if end_s - start_s < LEAST_WINDOW * averaging_s or end_s + slip_s > nodes[-1][0]:
                continue
            windows.append(Window(start_s, end_s, sample.power_w * (end_s - start_s)))
            free_s = end_s + slip_s
        return windows

    def _median_period_s(self) -> float:
        numbers = [n for t in self._edges_ns for n in self._around(t, 2 * REACH)]
        gaps = [self._nodes[n + 1].time_ns - self._nodes[n].time_ns for n in numbers]
        return median(gaps) / SECOND_NS

    def _around(self, t_ns: float, reach: int) -> range:
        """Numbers of the nodes whose following interval is near an instant."""
        number = self._nodes.last_before(t_ns)
        return range(max(number - reach, 0), min(number + reach + 1, len(self._nodes) - 1))

    def _power_boxes(
        self, at_ns: float, origin_ns: float, averaging_s: float, *, bends: bool
    ) -> list[Box]:
        share = min(averaging_s / self.power_period_s, 1.0)
        noise = FINE_NOISE if bends else POWER_NOISE * (1 - share) + WHOLE_NOISE
        near = self.samples_near(at_ns, self._power_reach)
        boxes = []
        for i, sample in enumerate(near):
            end_s = (sample.time_ns - origin_ns) / SECOND_NS
            energy_j = sample.power_w * averaging_s
            box = Box(end_s - averaging_s, end_s, energy_j, noise)
            if bends:
                slip_s = max(sample.half_ns / SECOND_NS / math.sqrt(3), LEAST_SLIP_S)
                slipped_j = _slope_w(near, i) * averaging_s * slip_s
                box = box._replace(alike_j=(slipped_j, GAIN * energy_j))
            boxes.append(box)
        return boxes


def _slope_w(samples: Sequence[Sample], number: int) -> float:
    """By how much power rises at a sample, in watts a second."""
    before, after = samples[max(number - 1, 0)], samples[min(number + 1, len(samples) - 1)]
    apart_s = (after.time_ns - before.time_ns) / SECOND_NS
    return (after.power_w - before.power_w) / apart_s if apart_s else 0.0


def _same(one: Box, other: Box, near_s: float) -> bool:
    starts_s, ends_s = abs(one.start_s - other.start_s), abs(one.end_s - other.end_s)
    return max(starts_s, ends_s) < near_s


def _own_ns(node: Placed) -> float:
    """How far a node may lie from where its neighbours say; on a grid all are misplaced alike."""
    return node.half_ns if node.misplaced_ns is None else node.jitter_ns
