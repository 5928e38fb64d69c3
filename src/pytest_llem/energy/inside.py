"""Energy between two instants that do not fall on refreshes, and how well it is known."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_llem.energy.shape import Box, Kriging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.refresh import Placed

SECOND_NS = 1e9
REACH = 2
"""Refreshes of the counter on either side of one that help to shape it."""
POWER_REACH = 3
"""Power readings on either side of an instant that help."""
COUNTER_NOISE, POWER_NOISE = 1e-4, 0.1
"""Own variance of what a refresh's energy and a power reading say, in units of that of
power. A reading that averages over less than its own refresh is a sample, not a mean."""
WHOLE_NOISE = 0.003
"""The same for a power reading that averages over its whole refresh."""
OVERLAP = 4.0
"""The instants at which hypotheses are compared share so many readings on average."""
HIDDEN = 1.5
"""Widening where power readings average over a whole refresh or more, or are missing."""


class Hypothesis(NamedTuple):
    """How power may run, and what its readings may be."""

    length: float
    """Length of correlation, in refresh periods."""
    averaging: float
    """What a power reading averages over, in refresh periods."""


SMOOTH, JUMPING, FAST = 4.0, 0.5, 1 / 12
MARGINS = {SMOOTH: 1.3, JUMPING: 1.1, FAST: 1.0}
"""Factors on the standard deviation, found by simulation over many curves."""
SAMPLED, WHOLE, LONG = 0.25, 1.0, 10.0
"""Known cards average over 25 of 100 ms (A100, H100), 100 of 100 ms (Turing, and instant
readings of others) or 1 s (A10, H100's average); Yang, Adamek and Armour, arXiv 2312.02741."""
PRIORS = {SAMPLED: 0.0, WHOLE: -2.0, LONG: -2.0}
"""Log of what each is believed beforehand; the shortest claims the least."""
JOINT = 1.0


class Nodes(Protocol):
    """Instants at which the energy is known."""

    period_ns: float | None

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Placed: ...

    def last_before(self, t_ns: float) -> int: ...


class Sample(NamedTuple):
    """A power reading and the instant at which it was refreshed."""

    time_ns: float
    power_w: float


class Edge(NamedTuple):
    """Energy from the node before an instant to the instant, under each hypothesis."""

    energies_j: tuple[float, ...]
    deviations_j: tuple[float, ...]


class Inside:
    """Energy at instants between nodes.

    Three hypotheses share the judgement, weighted by how well each explains the
    readings around: power runs smoothly over several refreshes; it jumps now and
    then; it fluctuates faster than it is shown. In the last case a position inside
    a refresh cannot be told from the readings, so energy is spread evenly and the
    uncertainty comes from the scatter of the readings alone.
    """

    def __init__(self, nodes: Nodes, samples: Sequence[Sample], start_ns: int, end_ns: int) -> None:
        self._nodes, self._samples = nodes, samples
        self._times_ns = [sample.time_ns for sample in samples]
        self._start_ns, self._end_ns = start_ns, end_ns
        first = max(nodes.last_before(start_ns) - 8, 0)
        last = min(nodes.last_before(end_ns) + 9, len(nodes) - 1)
        self._first, self._last = first, last
        self.period_s = self._median_period_s()
        self.kinds = self._hypotheses()

    def energy_j(self) -> tuple[float, float]:
        """Energy of the window and its standard deviation, in joules."""
        weights, regional = self._judge()
        self.weights = weights
        edges = [self._edge(t, regional) for t in (self._start_ns, self._end_ns)]
        base_j = self._node(self._end_ns).value - self._node(self._start_ns).value
        energies = [base_j + b - a for a, b in zip(*(e.energies_j for e in edges), strict=True)]
        energy_j = sum(w * e for w, e in zip(weights, energies, strict=True))
        variance = sum(
            w * (_joint(h.length, a, b) + (e - energy_j) ** 2)
            for w, h, e, a, b in zip(
                weights, self.kinds, energies, *(edge.deviations_j for edge in edges), strict=True
            )
        )
        return energy_j, math.sqrt(variance + self._timing_variance_j2())

    def averaging_s(self) -> float | None:
        """What a power reading seems to average over, in seconds; ``None`` without readings."""
        best = max(zip(self.weights, self.kinds, strict=True))[1]
        return best.averaging * self.period_s or None

    def _node(self, t_ns: float) -> Placed:
        return self._nodes[self._nodes.last_before(t_ns)]

    def _median_period_s(self) -> float:
        ends = [n for t in (self._start_ns, self._end_ns) for n in self._around(t, 4)]
        gaps = [self._nodes[n + 1].time_ns - self._nodes[n].time_ns for n in ends]
        return median(gaps) / SECOND_NS

    def _around(self, t_ns: float, reach: int) -> range:
        """Numbers of the nodes whose following refresh interval is near an instant."""
        number = self._nodes.last_before(t_ns)
        return range(max(number - reach, 0), min(number + reach + 1, len(self._nodes) - 1))

    def _boxes(self, at_ns: float, averaging_s: float) -> list[Box]:
        origin_ns = self._node(at_ns).time_ns
        boxes = []
        for number in self._around(at_ns, REACH):
            a, b = self._nodes[number], self._nodes[number + 1]
            start_s, end_s = (
                (a.time_ns - origin_ns) / SECOND_NS,
                (b.time_ns - origin_ns) / SECOND_NS,
            )
            boxes.append(Box(start_s, end_s, b.value - a.value, COUNTER_NOISE))
        if averaging_s:
            boxes += self._power_boxes(at_ns, origin_ns, averaging_s)
        return boxes

    def _power_boxes(self, at_ns: float, origin_ns: float, averaging_s: float) -> list[Box]:
        share = min(averaging_s / self.period_s, 1.0)
        noise = POWER_NOISE * (1 - share) + WHOLE_NOISE
        after = bisect_left(self._times_ns, at_ns)
        boxes = []
        for sample in self._samples[max(after - POWER_REACH, 0) : after + POWER_REACH]:
            end_s = (sample.time_ns - origin_ns) / SECOND_NS
            energy_j = sample.power_w * averaging_s
            boxes.append(Box(end_s - averaging_s, end_s, energy_j, noise))
        return boxes

    def _places(self) -> list[float]:
        """Instants at which hypotheses are compared: the edges, and some around them."""
        low_ns = max(self._start_ns - 8 * self.period_s * SECOND_NS, self._nodes[0].time_ns)
        high_ns = min(self._end_ns + 8 * self.period_s * SECOND_NS, self._nodes[-1].time_ns)
        step_ns = (high_ns - low_ns) / 7
        between = [low_ns + step_ns * i for i in range(1, 7)]
        return [self._start_ns, self._end_ns, *between]

    def _hypotheses(self) -> list[Hypothesis]:
        lengths = (SMOOTH, JUMPING, FAST)
        if len(self._samples) < 2 * POWER_REACH:
            return [Hypothesis(length, 0.0) for length in lengths]
        moves = _square(_differences([sample.power_w for sample in self._samples]))
        means = _square(_differences(self._means_w(range(self._first, self._last))))
        averages = (SAMPLED, WHOLE, LONG) if moves < 0.25 * means else (SAMPLED, WHOLE)
        return [Hypothesis(length, average) for average in averages for length in lengths]

    def _kriging(self, at_ns: float, kind: Hypothesis) -> Kriging:
        boxes = self._boxes(at_ns, kind.averaging * self.period_s)
        return Kriging(boxes, kind.length * self.period_s)

    def _means_w(self, numbers: range) -> list[float]:
        nodes = self._nodes
        return [
            (nodes[n + 1].value - nodes[n].value)
            / (nodes[n + 1].time_ns - nodes[n].time_ns)
            * SECOND_NS
            for n in numbers
        ]

    def _judge(self) -> tuple[list[float], list[float]]:
        """Weight of each hypothesis, and the variance of power under each, over the region."""
        places = self._places()
        fits = [[self._kriging(t, kind) for t in places] for kind in self.kinds]
        likelihoods = [
            sum(fit.log_likelihood for fit in row) / OVERLAP + PRIORS.get(kind.averaging, 0.0)
            for kind, row in zip(self.kinds, fits, strict=True)
        ]
        best = max(likelihoods)
        weights = [math.exp(value - best) for value in likelihoods]
        regional = [fmean(fit.scale2_w2 for fit in row) for row in fits]
        return [weight / sum(weights) for weight in weights], regional

    def _edge(self, at_ns: float, regional: Sequence[float]) -> Edge:
        node = self._node(at_ns)
        at_s = (at_ns - node.time_ns) / SECOND_NS
        energies, deviations = [], []
        for kind, region in zip(self.kinds, regional, strict=True):
            if kind.length == FAST:
                energy_j, deviation_j = self._even(at_ns, kind)
            else:
                fit = self._kriging(at_ns, kind)
                energy_j, unit_variance = fit.energy_until(at_s)
                local = fit.local_scale2_w2(at_s, self.period_s / 2)
                scale2 = 0.9 * local + 0.1 * min(region, 4 * local)
                deviation_j = math.sqrt(unit_variance * scale2)
            energies.append(energy_j)
            widen = 1.0 if kind.averaging == SAMPLED else HIDDEN
            deviations.append(MARGINS[kind.length] * widen * deviation_j)
        return Edge(tuple(energies), tuple(deviations))

    def _even(self, at_ns: float, kind: Hypothesis) -> tuple[float, float]:
        """Energy up to an instant if spread evenly, and its deviation by the scatter around.

        The integral of a fast fluctuation is itself a stationary fluctuation, of a
        variance V. What lies between two nodes misses the straight line by that of
        the instant and of both nodes: V (1 + f² + (1 - f)²).
        """
        number = self._nodes.last_before(at_ns)
        a, b = self._nodes[number], self._nodes[number + 1]
        width_s = (b.time_ns - a.time_ns) / SECOND_NS
        share = (at_ns - a.time_ns) / (b.time_ns - a.time_ns)
        variance = self._integral_variance_j2(at_ns, kind.averaging * self.period_s) * (
            1 + share**2 + (1 - share) ** 2
        )
        bound_j = self._bound_j(at_ns, (b.value - a.value) / width_s, width_s)
        variance = min(variance, bound_j**2) * min(1.0, 4 * share, 4 * (1 - share))
        return (b.value - a.value) * share, math.sqrt(max(variance, 0.0))

    def _integral_variance_j2(self, at_ns: float, averaging_s: float) -> float:
        """V from how refreshes scatter about their neighbours, and power about refreshes."""
        numbers = self._around(at_ns, 6)
        means = self._means_w(numbers)
        bends = [m - (a + b) / 2 for a, m, b in zip(means, means[1:], means[2:], strict=False)]
        counter = _square(bends) / 1.5 * self.period_s**2 / 2
        if not averaging_s:
            return counter
        middles = [(self._nodes[n].time_ns + self._nodes[n + 1].time_ns) / 2 for n in numbers]
        half_ns = averaging_s / 2 * SECOND_NS
        misses = [
            sample.power_w - _interpolate(middles, means, sample.time_ns - half_ns)
            for sample in self._samples_near(at_ns, 6)
        ]
        power = _square(misses) / (2 * (averaging_s**-2 + self.period_s**-2))
        return max(counter, power)

    def _samples_near(self, at_ns: float, reach: int) -> Sequence[Sample]:
        after = bisect_left(self._times_ns, at_ns)
        return self._samples[max(after - reach, 0) : after + reach]

    def _bound_j(self, at_ns: float, mean_w: float, width_s: float) -> float:
        """The most that energy can run ahead, if power stays in the range that was seen."""
        seen = self._means_w(self._around(at_ns, 6))
        seen += [sample.power_w for sample in self._samples_near(at_ns, 6)]
        low_w, high_w = min(seen), max(seen)
        if high_w == low_w:
            return 0.0
        ahead_w = (mean_w - low_w) * (high_w - mean_w) / (high_w - low_w)
        return width_s * (ahead_w + 0.02 * (high_w - low_w))

    def _timing_variance_j2(self) -> float:
        """What it costs not to know exactly when the counter refreshed."""
        weights: dict[int, float] = {}
        for t_ns, sign in ((self._start_ns, -1.0), (self._end_ns, 1.0)):
            number = self._nodes.last_before(t_ns)
            a, b = self._nodes[number], self._nodes[number + 1]
            share = (t_ns - a.time_ns) / (b.time_ns - a.time_ns)
            power = (b.value - a.value) / (b.time_ns - a.time_ns)
            weights[number] = weights.get(number, 0.0) + sign * (1 - share) * power
            weights[number + 1] = weights.get(number + 1, 0.0) + sign * share * power
        return sum((w * self._nodes[n].half_ns) ** 2 / 3 for n, w in weights.items())


def _joint(length: float, start_j: float, end_j: float) -> float:
    """Variance of the difference of two edges.

    What repeats with the load repeats at both edges: unless power runs smoothly,
    their errors are taken to add up.
    """
    if length == SMOOTH:
        return start_j**2 + end_j**2
    return start_j**2 + end_j**2 + 2 * JOINT * start_j * end_j


def _differences(values: Sequence[float]) -> list[float]:
    return [b - a for a, b in pairwise(values)]


def _square(values: Sequence[float]) -> float:
    return fmean(value * value for value in values) if values else 0.0


def _interpolate(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Linear between points, constant beyond them."""
    after = bisect_left(xs, x)
    if after == 0:
        return ys[0]
    if after == len(xs):
        return ys[-1]
    share = (x - xs[after - 1]) / (xs[after] - xs[after - 1])
    return ys[after - 1] + share * (ys[after] - ys[after - 1])
