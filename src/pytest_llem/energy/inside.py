"""Energy between two instants that do not fall on refreshes, and how well it is known."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.scatter import spread_evenly
from pytest_llem.energy.shape import Kriging

if TYPE_CHECKING:
    from pytest_llem.energy.surroundings import Surroundings

SMOOTH, JUMPING, FAST = 4.0, 0.5, 1 / 12
"""Lengths of correlation, in periods of the counter: power runs smoothly over several
refreshes; it jumps now and then; it fluctuates faster than it is shown."""
MARGINS = {SMOOTH: 1.3, JUMPING: 1.0, FAST: 1.0}
"""Factors on the standard deviation, found by simulation over many curves."""
SAMPLED, WHOLE, LONG = 0.25, 1.0, 10.0
"""What power readings may average over, in periods of their own. Known cards: 25 of 100 ms
(A100, H100), 100 of 100 ms (Turing, instant readings of others), 1 s in steps of 100 ms
(A10, H100's average); Yang, Adamek and Armour, arXiv 2312.02741."""
PRIORS = {SAMPLED: 0.0, WHOLE: -4.0, LONG: -4.0}
"""Log of what each is believed beforehand; the shortest claims the least."""
HIDDEN = 1.5
"""Widening where power readings average over a whole refresh or more, or are missing."""
OVERLAP = 4.0
"""The places at which hypotheses are compared share so many readings on average."""
LOCAL, REGIONAL = 0.9, 0.1
"""Weights of the variation of power seen near an edge and of that in the region."""


class Hypothesis(NamedTuple):
    """How power may run, and what its readings may be."""

    length: float
    averaging: float
    """0 without power readings."""


class Edge(NamedTuple):
    """Energy from the node before an instant to the instant, under each hypothesis."""

    energies_j: list[float]
    deviations_j: list[float]


class Inside:
    """A window whose edges lie inside refreshes.

    Hypotheses on how power runs share the judgement, each weighted by how well it
    explains the readings around. If power fluctuates faster than it is shown, a
    position inside a refresh cannot be told from the readings: then energy is spread
    evenly, and the uncertainty comes from the scatter of the readings alone.
    """

    def __init__(self, around: Surroundings, start_ns: int, end_ns: int) -> None:
        self._around = around
        self._edges_ns = (start_ns, end_ns)
        self._kinds = self._hypotheses()
        self._weights, self._regional_w2 = self._judge()

    @property
    def averaging_s(self) -> float | None:
        """What a power reading seems to average over, in seconds; ``None`` without readings."""
        _, best = max(zip(self._weights, self._kinds, strict=True))
        return best.averaging * self._around.power_period_s or None

    def energy_j(self) -> tuple[float, float]:
        """Energy of the window and its standard deviation, in joules."""
        (_, before, _), (_, after, _) = (self._around.interval(t) for t in self._edges_ns)
        start, end = (self._edge(t) for t in self._edges_ns)
        base_j = after.value - before.value
        offsets = zip(start.energies_j, end.energies_j, strict=True)
        energies = [base_j + b - a for a, b in offsets]
        energy_j = math.fsum(w * e for w, e in zip(self._weights, energies, strict=True))
        joint = [
            _joint_variance(kind.length, a, b)
            for kind, a, b in zip(self._kinds, start.deviations_j, end.deviations_j, strict=True)
        ]
        variance = math.fsum(
            weight * (own + (energy - energy_j) ** 2)
            for weight, own, energy in zip(self._weights, joint, energies, strict=True)
        )
        return energy_j, math.sqrt(variance + self._timing_variance_j2())

    def _hypotheses(self) -> list[Hypothesis]:
        lengths = (SMOOTH, JUMPING, FAST)
        if not self._around.has_power:
            return [Hypothesis(length, 0.0) for length in lengths]
        slow = self._around.power_moves_slowly()
        averages = (SAMPLED, WHOLE, LONG) if slow else (SAMPLED, WHOLE)
        return [Hypothesis(length, average) for average in averages for length in lengths]

    def _kriging(self, at_ns: float, kind: Hypothesis) -> Kriging:
        boxes = self._around.boxes(at_ns, kind.averaging * self._around.power_period_s)
        return Kriging(boxes, kind.length * self._around.period_s)

    def _judge(self) -> tuple[list[float], list[float]]:
        """Weight of each hypothesis, and the variance of power it sees over the region."""
        places = self._around.places()
        fits = [[self._kriging(t, kind) for t in places] for kind in self._kinds]
        logs = [
            math.fsum(fit.log_likelihood for fit in row) / OVERLAP + PRIORS.get(kind.averaging, 0.0)
            for kind, row in zip(self._kinds, fits, strict=True)
        ]
        weights = [math.exp(log - max(logs)) for log in logs]
        regional_w2 = [fmean(fit.scale2_w2 for fit in row) for row in fits]
        return [weight / sum(weights) for weight in weights], regional_w2

    def _edge(self, at_ns: int) -> Edge:
        edge = Edge([], [])
        for kind, regional_w2 in zip(self._kinds, self._regional_w2, strict=True):
            if kind.length == FAST:
                averaging_s = kind.averaging * self._around.power_period_s
                energy_j, deviation_j = spread_evenly(self._around, at_ns, averaging_s)
            else:
                energy_j, deviation_j = self._predict(at_ns, kind, regional_w2)
            widen = MARGINS[kind.length] * (1.0 if kind.averaging == SAMPLED else HIDDEN)
            edge.energies_j.append(energy_j)
            edge.deviations_j.append(widen * deviation_j)
        return edge

    def _predict(self, at_ns: int, kind: Hypothesis, regional_w2: float) -> tuple[float, float]:
        _, node, _ = self._around.interval(at_ns)
        at_s = (at_ns - node.time_ns) / 1e9
        fit = self._kriging(at_ns, kind)
        energy_j, unit_variance = fit.energy_until(at_s)
        local_w2 = fit.local_scale2_w2(at_s, self._around.period_s / 2)
        scale2_w2 = LOCAL * local_w2 + REGIONAL * min(regional_w2, 4 * local_w2)
        return energy_j, math.sqrt(unit_variance * scale2_w2)

    def _timing_variance_j2(self) -> float:
        """What it costs not to know exactly when the counter refreshed."""
        slopes: dict[int, float] = {}
        for t_ns, sign in zip(self._edges_ns, (-1.0, 1.0), strict=True):
            number, a, b = self._around.interval(t_ns)
            share = (t_ns - a.time_ns) / (b.time_ns - a.time_ns)
            power = (b.value - a.value) / (b.time_ns - a.time_ns)
            slopes[number] = slopes.get(number, 0.0) + sign * (1 - share) * power
            slopes[number + 1] = slopes.get(number + 1, 0.0) + sign * share * power
        return sum((slope * self._around.half_ns(n)) ** 2 / 3 for n, slope in slopes.items())


def _joint_variance(length: float, start_j: float, end_j: float) -> float:
    """Variance of the difference of two edges from their deviations.

    What repeats with the load repeats at both edges: unless power runs smoothly, their
    errors are taken to add up.
    """
    if length == SMOOTH:
        return start_j**2 + end_j**2
    return (start_j + end_j) ** 2
