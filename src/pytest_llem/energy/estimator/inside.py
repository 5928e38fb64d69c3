"""Energy between two instants that do not fall on refreshes, and how well it is known."""

from __future__ import annotations

import math
from itertools import pairwise
from operator import mul
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.hidden import share_at
from pytest_llem.energy.estimator.shape import Kriging
from pytest_llem.energy.estimator.steps import follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.surroundings import Surroundings

DRIFTS, BENDS, STEPS = 4.0, 0.5, 0.0
"""Ways in which power may run, by the length of its correlation in periods of the counter:
smoothly over several refreshes; back and forth; or it stands still and jumps."""
BELIEF = {DRIFTS: 0.0, BENDS: 0.0, STEPS: -5.0}
"""Log of what each is believed beforehand."""
TRUST = {DRIFTS: 1.0, BENDS: 1.7, STEPS: 1.0}
"""Factors on standard deviations, found by simulation over many curves."""
SAMPLED, WHOLE, LONG = 0.25, 1.0, 10.0
"""What power readings may average over, in periods of their own. Known cards: 25 of 100 ms
(A100, H100), 100 of 100 ms (Turing, instant readings of others), 1 s in steps of 100 ms
(A10, H100's average); Yang, Adamek and Armour, arXiv 2312.02741."""
AVERAGING = {SAMPLED: 0.0, WHOLE: -0.3, LONG: -8.0}
"""Log of what each is believed beforehand; the shortest claims the least."""
HERE, AROUND = 12.5, 2.0
"""Weights of the mean log evidence of a reading, near an edge and near both."""
HIDDEN = {DRIFTS: 0.2, BENDS: 2.0, STEPS: 0.2}
"""Factors on the variance of what fluctuates unseen; the better a shape explains the
readings, the less of them is left to fluctuations."""
FAR = 2.5
"""A way of averaging is dropped that explains readings worse by so much, in log each."""


class Shape(NamedTuple):
    """A way in which power may run, and what its readings may average over."""

    length: float
    averaging: float
    """In periods of the power reading; 0 without power readings."""


class Told(NamedTuple):
    """What a shape says of the energy from the node before an instant to the instant."""

    evidence: float
    """Mean log density of the readings around."""
    energy_j: float
    variance_j2: float


class Edge(NamedTuple):
    """Energy from the node before an instant to the instant, and its variance."""

    energy_j: float
    variance_j2: float


class Inside:
    """A window whose edges lie inside refreshes.

    Two shapes share the judgement: power stands still and jumps, or it bends. Either is
    weighted by how well it explains the readings around an edge. What fluctuates faster
    than it is shown cannot be told by any shape; it widens the interval.
    """

    def __init__(self, around: Surroundings, start_ns: int, end_ns: int) -> None:
        self._around = around
        self._edges_ns = (start_ns, end_ns)
        self._shapes = self._candidates()
        self._told = self._tell_all()
        self._means = [
            fmean(told.evidence for told in row) for row in zip(*self._told, strict=True)
        ]
        self._weights = [self._weigh(told) for told in self._told]

    @property
    def averaging_s(self) -> float | None:
        """What a power reading seems to average over, in seconds; ``None`` without readings."""
        weights = [sum(row) for row in zip(*self._weights, strict=True)]
        _, best = max(zip(weights, self._shapes, strict=True))
        return best.averaging * self._around.power_period_s or None

    def energy_j(self) -> tuple[float, float]:
        """Energy of the window and its standard deviation, in joules."""
        (_, before, _), (_, after, _) = (self._around.interval(t) for t in self._edges_ns)
        start, end = (self._edge(i) for i in (0, 1))
        energy_j = after.value - before.value + end.energy_j - start.energy_j
        both_j2 = math.sqrt(start.variance_j2 * end.variance_j2)
        together = self._around.likeness(*self._edges_ns, both_j2)
        variance = start.variance_j2 + end.variance_j2 - 2 * together * both_j2
        return energy_j, math.sqrt(max(variance, 0.0) + self._timing_variance_j2())

    def _candidates(self) -> list[Shape]:
        if not self._around.has_power:
            return [Shape(length, 0.0) for length in BELIEF]
        found = [Shape(length, averaging) for averaging in (SAMPLED, WHOLE) for length in BELIEF]
        if self._around.power_moves_slowly():
            found += [Shape(DRIFTS, LONG), Shape(BENDS, LONG)]
        return found

    def _tell_all(self) -> list[list[Told]]:
        """What each shape says at each edge.

        Ways of averaging that no reading supports are dropped before paths are followed,
        which is what takes time.
        """
        smooth = [shape for shape in self._shapes if shape.length != STEPS]
        bent = {(t, shape): self._tell(t, shape) for t in self._edges_ns for shape in smooth}
        best = max(told.evidence for told in bent.values())
        near = {shape.averaging for (_, shape), told in bent.items() if told.evidence > best - FAR}
        self._shapes = [shape for shape in self._shapes if shape.averaging in near]
        return [
            [bent.get((t, shape)) or self._tell(t, shape) for shape in self._shapes]
            for t in self._edges_ns
        ]

    def _tell(self, at_ns: int, shape: Shape) -> Told:
        averaging_s = shape.averaging * self._around.power_period_s
        if shape.length == STEPS:
            return self._stepped(at_ns, averaging_s)
        return self._bent(at_ns, shape.length, averaging_s)

    def _bent(self, at_ns: int, length: float, averaging_s: float) -> Told:
        _, node, _ = self._around.interval(at_ns)
        at_s = (at_ns - node.time_ns) / 1e9
        boxes = self._around.boxes(at_ns, averaging_s)
        fit = Kriging(boxes, length * self._around.period_s)
        energy_j, unit_variance = fit.energy_until(at_s)
        local_w2 = fit.local_scale2_w2(at_s, self._around.period_s / 2)
        variance_j2 = TRUST[length] ** 2 * unit_variance * local_w2
        return Told(fit.log_evidence / len(boxes), energy_j, variance_j2)

    def _stepped(self, at_ns: int, averaging_s: float) -> Told:
        nodes, windows, at_s = self._around.stretch(at_ns, averaging_s)
        levels = self._around.levels.levels
        told = follow(nodes, windows, at_s, levels, self._around.noise(at_ns, averaging_s))
        widths = [b[0] - a[0] for a, b in pairwise(nodes)]
        widths += [window.end_s - window.start_s for window in windows]
        evidence = told.log_evidence + math.fsum(map(math.log, widths))
        return Told(evidence / len(widths), told.energy_j, TRUST[STEPS] ** 2 * told.variance_j2)

    def _weigh(self, told: Sequence[Told]) -> list[float]:
        logs = [
            HERE * one.evidence
            + AROUND * mean
            + BELIEF[shape.length]
            + AVERAGING.get(shape.averaging, 0.0)
            for one, mean, shape in zip(told, self._means, self._shapes, strict=True)
        ]
        weights = [math.exp(log - max(logs)) for log in logs]
        return [weight / sum(weights) for weight in weights]

    def _edge(self, which: int) -> Edge:
        at_ns, told, weights = self._edges_ns[which], self._told[which], self._weights[which]
        energy_j = math.fsum(w * one.energy_j for w, one in zip(weights, told, strict=True))
        variance = math.fsum(
            w * (one.variance_j2 + (one.energy_j - energy_j) ** 2)
            for w, one in zip(weights, told, strict=True)
        )
        _, a, b = self._around.interval(at_ns)
        unseen = share_at((at_ns - a.time_ns) / (b.time_ns - a.time_ns))
        hidden = math.fsum(
            w * HIDDEN[shape.length] * self._hidden_j2(shape)
            for w, shape in zip(weights, self._shapes, strict=True)
        )
        return Edge(energy_j, variance + unseen * hidden)

    def _hidden_j2(self, shape: Shape) -> float:
        return self._around.hidden_j2(shape.averaging * self._around.power_period_s)

    def _timing_variance_j2(self) -> float:
        """What it costs not to know exactly when the counter refreshed.

        On a regular grid all nodes are misplaced alike, and what that costs at the start
        it saves at the end; what is left is the period's error and the nodes' own.
        """
        slopes: dict[int, float] = {}
        for t_ns, sign in zip(self._edges_ns, (-1.0, 1.0), strict=True):
            number, a, b = self._around.interval(t_ns)
            share = (t_ns - a.time_ns) / (b.time_ns - a.time_ns)
            power = (b.value - a.value) / (b.time_ns - a.time_ns)
            slopes[number] = slopes.get(number, 0.0) + sign * (1 - share) * power
            slopes[number + 1] = slopes.get(number + 1, 0.0) + sign * share * power
        nodes = [self._around.node(number) for number in slopes]
        values = list(slopes.values())
        shared = [node.misplaced_ns for node in nodes if node.misplaced_ns is not None]
        if len(shared) < len(nodes):
            each = ((s * n.half_ns) ** 2 for s, n in zip(values, nodes, strict=True))
            return sum(each) / 3
        together_j = (math.fsum(map(mul, values, column)) for column in zip(*shared, strict=True))
        own_j2 = sum((s * node.jitter_ns) ** 2 for s, node in zip(values, nodes, strict=True))
        return sum(one**2 for one in together_j) + own_j2
