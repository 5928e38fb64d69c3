"""Energy between two instants that do not fall on refreshes, and how well it is known."""

from __future__ import annotations

import math
from itertools import compress, pairwise
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.bound import PEAK, Bound
from pytest_llem.energy.estimator.courses.power_at import PowerAt
from pytest_llem.energy.estimator.courses.shape import Box, Course, Kriging, bent, rough, smooth
from pytest_llem.energy.estimator.courses.steps import follow
from pytest_llem.energy.estimator.likeness import Likeness
from pytest_llem.energy.estimator.load.hidden import share_at
from pytest_llem.energy.estimator.mixture import LEVEL, Mixture, Normal, half_width_j
from pytest_llem.energy.estimator.timing import Timing
from pytest_llem.energy.student import student_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.surroundings import Surroundings

COURSES = {
    "drifts": Course(rough, 4.0),
    "wavers": Course(rough, 0.5),
    "flows": Course(smooth, 3.0, has_trend=True),
    "waves": Course(smooth, 1.0, has_trend=True),
    "buzzes": Course(bent, 3.0, buzz=0.3),
}
"""Ways in which power may run: it changes direction all the time, over several refreshes or
back and forth within one; it bends slowly, or every refresh; or it hides a fluctuation that is
faster than all readings."""
TRUST = {"wavers": 1.7, "waves": 1.5}
"""Factors on standard deviations, found by simulation over many loads; 1 for the others. What
alternates from refresh to refresh is explained by wrong ways of averaging almost as well, and
where a smooth course has a kink, it is nowhere near as smooth as its readings around."""
HIDDEN = {"wavers": 0.5}
"""Factors on the variance of what fluctuates unseen; 0 for the others. What goes back and forth
within a refresh is the one course that such a fluctuation, seen at the same share of it every
time, cannot be told from; power at an instant has all of it."""
RIPPLED = 0.5
"""The same for steps, in units of the integral of the ripple that plateaus show: two values of
that integral differ by twice its variance."""
ALIASED = 0.8
"""What is believed of something in step with all readings, where that is possible: it is no worse
an explanation than any other, and no reading can refute it."""
STEPS = "steps"
"""It stands still and jumps."""
BELIEF = {STEPS: -4.0, "buzzes": 1.0}
"""Log of what each is believed beforehand; 0 for the others. Few loads hold still between
readings, so that a hidden fluctuation is what is to be refuted."""
SAMPLED, HALF, WHOLE, LONG = 0.25, 0.5, 1.0, 10.0
"""What power readings may average over, in periods of their own. Known cards: 25 of 100 ms
(A100, H100), 10 of 20 ms (V100), 100 of 100 ms (Turing, instant readings of others), 1 s in
steps of 100 ms (A10, H100's average); Yang, Adamek and Armour, arXiv 2312.02741."""
AVERAGING = {SAMPLED: 0.0, HALF: -0.15, WHOLE: -0.3, LONG: -5.0}
"""Log of what each is believed beforehand; the shortest claims the least."""
REFUTED, CONFIRMED = 2.5, 5.0
"""So many times better at least is the counter's mean over many refreshes found in readings
that do average over them. Simulated cards that do not stay below the first, over many loads;
those that do are above the second, but for loads that hardly differ from one mean to the next."""
HERE, AROUND = 8.0, 1.0
"""Weights of the mean log evidence of a reading, near an edge and near both."""
UNSEEN = 1.2
"""Factor on what a fluctuation is told to hide, found by simulation over many loads: one that
repeats itself shows only some of itself where readings come at the same share of it."""
FAST_S = 0.0025
"""What fluctuates unseen, from one kernel or layer to the next, moves the energy by about what
is drawn in so much time at most: a square wave of 25 ms between nothing and twice the mean by
3.6 ms of it, one that does not reach down to nothing by less."""
LEAST_J2 = 1e-10
"""No energy is known better."""
FAR = 2.5
"""A way of averaging is dropped that explains readings worse by so much, in log each."""
NEXT = 0.02
"""Power at an instant is that of so much of a period on either side."""
SURE = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Half-width of the interval of a normal distribution, in standard deviations."""


class Shape(NamedTuple):
    """A way in which power may run, and what its readings may average over."""

    course: str
    averaging: float
    """In periods of the power reading; 0 without power readings."""


class Told(NamedTuple):
    """What a shape says of the energy from the node before an instant to the instant."""

    evidence: float
    """Mean log density of the readings around."""
    energy: Mixture
    power: PowerAt
    """At the instant."""
    belief: float = 0.0
    """Log of how far what it takes for granted can be, beside the evidence."""


class Energy(NamedTuple):
    """Of a window, in joules; deviations are halves of 95 % intervals in units of 1.96."""

    mean_j: float
    deviation_j: float
    alike_j: float
    """The part by which what the same driver reads of other devices is off as well."""


class Inside:
    """A window whose edges lie inside refreshes.

    Several shapes share the judgement: power stands still and jumps, bends, drifts, or hides
    a fluctuation. Each is weighted by how well it explains the readings around an edge, and
    the interval is that of all together.
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

    def energy(self) -> Energy:
        (_, before, _), (_, after, _) = (self._around.interval(t) for t in self._edges_ns)
        factor = self._few()
        start, end = (self._edge(i).stretched(factor) for i in (0, 1))
        energy_j = after.value - before.value + end.mean_j - start.mean_j
        both_j2 = math.sqrt(start.variance_j2 * end.variance_j2)
        together = Likeness(self._around, self._edges_ns).of_energies(both_j2)
        timing = Timing(self._around, self._edges_ns)
        alike_j2 = timing.alike_j2(self._power(0), self._power(1))
        half_j = half_width_j(start, end, together, timing.own_j2() + alike_j2 + LEAST_J2)
        return Energy(energy_j, half_j / SURE, min(math.sqrt(alike_j2), half_j / SURE))

    def _few(self) -> float:
        """How much wider an interval is that few readings tell, as Student's distribution is.

        Those that a load in step with them repeats count once. Power readings of a part of a
        refresh show the load itself; means over all of it leave as much open as the counter.
        """
        distinct = self._around.whole.distinct
        if distinct is None:
            return 1.0
        return 1 + self._showing_means() * (student_95(distinct) / SURE - 1)

    def _showing_means(self) -> float:
        """How surely readings are means over all of a refresh, or there are none, from 0 to 1."""
        shown = [shape.averaging not in {SAMPLED, HALF} for shape in self._shapes]
        return max(math.fsum(compress(weights, shown)) for weights in self._weights)

    def _candidates(self) -> list[Shape]:
        courses = [*COURSES, STEPS]
        if not self._around.has_power:
            return [Shape(course, 0.0) for course in courses]
        found = [
            Shape(course, averaging) for averaging in (SAMPLED, HALF, WHOLE) for course in courses
        ]
        long = [Shape(course, LONG) for course in COURSES]
        times = self._times_longer()
        if times is not None and times > CONFIRMED:
            return long
        if times is not None and times < REFUTED:
            return found
        return [*found, *long]

    def _times_longer(self) -> float | None:
        """How much better the counter's mean over many refreshes is found in power readings.

        Compared with its mean over one; ``None`` where that cannot be told.
        """
        period_s = self._around.power_period_s
        whole, long = (self._around.whole.unexplained_share(n * period_s) for n in (WHOLE, LONG))
        return None if whole is None or long is None else whole / max(long, 1e-9)

    def _tell_all(self) -> list[list[Told]]:
        """What each shape says at each edge.

        Ways of averaging that no reading supports are dropped before paths are followed,
        which is what takes time.
        """
        quick = [shape for shape in self._shapes if shape.course != STEPS]
        found = {(t, shape): self._tell(t, shape) for t in self._edges_ns for shape in quick}
        best = max(told.evidence for told in found.values())
        near = {shape.averaging for (_, shape), told in found.items() if told.evidence > best - FAR}
        self._shapes = [shape for shape in self._shapes if shape.averaging in near]
        return [
            [found.get((t, shape)) or self._tell(t, shape) for shape in self._shapes]
            for t in self._edges_ns
        ]

    def _tell(self, at_ns: int, shape: Shape) -> Told:
        averaging_s = shape.averaging * self._around.power_period_s
        if shape.course == STEPS:
            return self._stepped(at_ns, averaging_s)
        return self._running(at_ns, shape.course, averaging_s)

    def _running(self, at_ns: int, name: str, averaging_s: float) -> Told:
        course = COURSES[name]
        _, a, b = self._around.interval(at_ns)
        at_s = (at_ns - a.time_ns) / 1e9
        boxes = self._around.boxes(at_ns, averaging_s, bends=course.integral is smooth)
        period_s = self._around.period_s
        whole = Box(0.0, (b.time_ns - a.time_ns) / 1e9, b.value - a.value, 0.0)
        fit = Kriging(boxes, course, period_s, whole)
        energy_j, unit_variance = fit.energy_j(0.0, at_s)
        scale2_w2 = TRUST.get(name, 1.0) ** 2 * fit.local_scale2_w2(at_s, period_s / 2)
        hidden_j2 = self._share(at_ns) * self._around.whole.hidden_j2(averaging_s)
        variance_j2 = unit_variance * scale2_w2 + HIDDEN.get(name, 0.0) * hidden_j2
        next_s = NEXT * period_s
        next_j, unit_next = fit.energy_j(at_s - next_s, at_s + next_s)
        power_w2 = unit_next * scale2_w2 / (2 * next_s) ** 2
        if name in HIDDEN:
            power_w2 += self._unseen_w2(at_ns)
        power = PowerAt(next_j / (2 * next_s), power_w2)
        belief = 0.0
        if course.buzz:
            power = power._replace(variance_w2=self._unseen_w2(at_ns))
            variance_j2 = UNSEEN * max(UNSEEN * variance_j2, hidden_j2)
            mean_w = (b.value - a.value) / (b.time_ns - a.time_ns) * 1e9
            most_j = FAST_S * mean_w + math.sqrt(LEAST_J2)
            belief = -fit.buzz_j2 / most_j**2 / 2
        energy = Mixture((Normal(1.0, energy_j, variance_j2),))
        return Told(fit.log_evidence / len(boxes), energy, power, belief)

    def _stepped(self, at_ns: int, averaging_s: float) -> Told:
        nodes, windows, at_s = self._around.stretch(at_ns, averaging_s)
        levels = self._around.whole.levels.levels
        told = follow(nodes, windows, at_s, levels, self._around.noise(at_ns, averaging_s))
        widths = [b[0] - a[0] for a, b in pairwise(nodes)]
        widths += [window.end_s - window.start_s for window in windows]
        evidence = told.log_evidence + math.fsum(map(math.log, widths))
        hidden_j2 = RIPPLED * self._around.whole.plateau_ripple_j(averaging_s) ** 2
        energy = told.energy.widened(self._share(at_ns) * hidden_j2)
        return Told(evidence / len(widths), energy, told.power)

    def _share(self, at_ns: int) -> float:
        """How much of what hides counts at an instant, by where in its refresh it lies."""
        return share_at(self._around.share(at_ns))

    def _weigh(self, told: Sequence[Told]) -> list[float]:
        distinct = self._around.whole.distinct
        told_once = 1.0 if distinct is None else min(distinct / (HERE + AROUND), 1.0)
        logs = [
            told_once * (HERE * one.evidence + AROUND * mean)
            + one.belief
            + BELIEF.get(shape.course, 0.0)
            + AVERAGING.get(shape.averaging, 0.0)
            for one, mean, shape in zip(told, self._means, self._shapes, strict=True)
        ]
        weights = [math.exp(log - max(logs)) for log in logs]
        return [weight / sum(weights) for weight in weights]

    def _edge(self, which: int) -> Mixture:
        """Energy from the node before an edge to the edge, by all shapes."""
        told, weights = self._told[which], self._weights[which]
        at_ns = self._edges_ns[which]
        _, before, after = self._around.interval(at_ns)
        bound = Bound.at(at_ns, before, after, self._around.whole.highest_w)
        energy = Mixture(
            tuple(
                bound.on(part, weight * part.weight)
                for weight, one in zip(weights, told, strict=True)
                for part in one.energy.parts
            )
        )
        variance_j2 = self._around.aliased_j2(at_ns, energy.mean_j)
        if variance_j2 is None or variance_j2 < energy.variance_j2:  # it makes nothing surer
            return energy
        alias = bound.on(Normal(1.0, energy.mean_j, variance_j2 + LEAST_J2), ALIASED)
        return energy.beside(alias)

    def _unseen_w2(self, at_ns: int) -> float:
        """Variance of power at an instant about what is shown, where something hides.

        No more than of a power that is anywhere between nothing and ``PEAK`` times the mean,
        and that where readings are in step with it, which say nothing of an instant.
        """
        (here,) = self._around.means_w(at_ns, 0)
        flat_w2 = (PEAK * here.power_w) ** 2 / 12
        if self._around.whole.distinct is not None:
            return flat_w2
        hidden_j2 = self._around.whole.hidden_j2(SAMPLED * self._around.power_period_s)
        return min(hidden_j2 / FAST_S**2, flat_w2)

    def _power(self, which: int) -> PowerAt:
        """Power at an edge, by all shapes."""
        return PowerAt.mixed(self._weights[which], [told.power for told in self._told[which]])
