"""How power runs inside a refresh: estimated from the readings around, with its uncertainty.

A counter says how much energy went into each refresh, not how it was spread. Power
is taken as a random function of time, and the energy up to an instant inside a refresh
is its best linear prediction from the energies of the refreshes around and the power
readings (kriging; Matheron 1963, ordinary kriging with a weakly known mean). The scale
of the variation is not assumed but measured, near the instant, by how badly each reading
is predicted by the others. How smooth the function is, and whether something faster than
all readings lies on it, is for whoever compares the evidence.
"""

from __future__ import annotations

import math
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WEAK_MEAN = 100.0
"""Variance of the unknown mean power, in units of the variance around it."""
WEAK_TREND = 100.0
"""The same of an unknown slope, for smooth power, per period squared."""
LEAST_SCALE_W = 0.05
"""Variation below this is noise to every model alike, in watts."""
FITS = 3
"""How often power's own variance is told anew, beside what misplaced instants explain."""
SLIGHT = 1e-3
"""What they explain is left out where it is less than this share."""
ROUNDING = 1e-10
"""Share of each variance that rounding may spoil."""
FASTEST_S = 0.0005
"""What is faster than all readings is forgotten after so long."""


def rough(away: float) -> float:
    """Twice integrated ``exp(-x)``: power that changes direction at every instant."""
    return math.exp(-away) + away - 1.0


def bent(away: float) -> float:
    """Twice integrated ``(1 + x) exp(-x)``: power that has a slope (Matérn, 3/2)."""
    return 2 * away - 3 + (3 + away) * math.exp(-away)


def smooth(away: float) -> float:
    """Twice integrated ``(1 + x + x²/3) exp(-x)``: power that bends slowly (Matérn, 5/2)."""
    return 8 / 3 * away - 5 + (5 + 7 / 3 * away + away * away / 3) * math.exp(-away)


class Course(NamedTuple):
    """How power is taken to run, in periods of the counter."""

    integral: Callable[[float], float]
    """The function whose second derivative is the covariance, for a length of 1."""
    length: float
    """Of the correlation."""
    has_trend: bool = False
    """Whether it may rise or fall all along."""
    buzz: float = 0.0
    """Variance, in units of that of power, of the integral of something faster than all
    readings: stationary and all but independent from one instant to another, so that it
    shows in the energy between two instants and never adds up."""


class Box(NamedTuple):
    """Energy known over a stretch of time."""

    start_s: float
    end_s: float
    energy_j: float
    noise: float
    """Variance of its own, beside that of power itself, in units of the latter."""
    begins_j2: float = 0.0
    """Variance of what lies on the wrong side of its start, as that instant is not known
    exactly; what it lacks, the box that ends there has."""
    ends_j2: float = 0.0
    """The same of its end."""
    alike_j: tuple[float, ...] = ()
    """How far it may be off by what all power readings have in common: deviations of that, one
    after another, with their signs."""


class Target(NamedTuple):
    """Energy that is to be told, as the readings tell it."""

    box: Box
    white: list[float]
    """Its covariances with what each reading adds to those before, for power of unit variance."""
    expected_j: float


class Kriging:
    """Power around one instant, for one course that it may take.

    Args:
        boxes: what was read around.
        course: how power is taken to run.
        period_s: of the counter.
        whole: a refresh whose energy is known, whatever noise its reading is given: what is
            used before an instant in it and what is used after it make it up.
    """

    def __init__(self, boxes: Sequence[Box], course: Course, period_s: float, whole: Box) -> None:
        self._boxes, self._course, self._period_s = boxes, course, period_s
        self._length_s = course.length * period_s
        self._buzz_s2 = course.buzz * period_s * period_s
        widths = [box.end_s - box.start_s for box in boxes]
        exact = [i for i, box in enumerate(boxes) if box.noise < 0.01] or range(len(boxes))  # noqa: PLR2004
        self._mean_w = sum(boxes[i].energy_j for i in exact) / sum(widths[i] for i in exact)
        residuals = [b.energy_j - self._mean_w * w for b, w in zip(boxes, widths, strict=True)]
        rows, misplaced = self._covariances(widths), self._misplaced()
        log_determinant = self._fit(rows, residuals)
        for _ in range(FITS):
            told_w2 = self._told_w2
            if _slight(misplaced, [told_w2 * width * width for width in widths]):
                break
            unit = [
                [value + misplaced.get((i, j), 0.0) / told_w2 for j, value in enumerate(row)]
                for i, row in enumerate(rows)
            ]
            log_determinant = self._fit(unit, residuals)
        self._whole = self._target(whole)
        left = self._left(self._whole, self._whole)
        self._whole_left = left if left > ROUNDING * self._covariance(whole, whole) else 0.0
        self.log_evidence = -0.5 * (
            len(boxes) * (math.log(math.tau * self._told_w2) + 1)
            + log_determinant
            - 2 * sum(map(math.log, widths))
        )
        """Log of the density of the readings, in powers, at the likeliest scale."""

    @property
    def _told_w2(self) -> float:
        """Variance of power, no less than what is noise to every model."""
        return self.scale2_w2 + LEAST_SCALE_W**2

    def _fit(self, rows: list[list[float]], residuals: Sequence[float]) -> float:
        """Take covariances for a variance of 1, and give the logarithm of their determinant."""
        self._lower, log_determinant = _inverse_factor(rows)
        self._white = [sum(map(mul, row, residuals)) for row in self._lower]
        square = sum(white * white for white in self._white)
        self.scale2_w2: float = square / len(residuals)
        """Variance of power that the readings suggest, in W²."""
        return log_determinant

    def _misplaced(self) -> dict[tuple[int, int], float]:
        """Covariances in J², by rows, of what is not power's own variation.

        Instants that are not known exactly misplace energy, and power readings are off alike.
        """
        boxes = self._boxes
        found = {(i, i): b.begins_j2 + b.ends_j2 for i, b in enumerate(boxes)}
        alike = [(i, box.alike_j) for i, box in enumerate(boxes) if box.alike_j]
        for count, (i, own) in enumerate(alike, start=1):
            for j, other in alike[:count]:
                found[i, j] = found.get((i, j), 0.0) + sum(map(mul, own, other))
        for i, (a, b) in enumerate(pairwise(boxes), start=1):
            if b.begins_j2:
                found[i, i - 1] = found.get((i, i - 1), 0.0) - math.sqrt(a.ends_j2 * b.begins_j2)
        return found

    @property
    def buzz_j2(self) -> float:
        """Variance that the readings suggest of the integral of what is faster than they."""
        return self._buzz_s2 * self.scale2_w2

    def energy_j(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Energy between two instants in joules, and its variance for power of unit variance."""
        target, whole = self._target(Box(start_s, end_s, 0.0, 0.0)), self._whole
        energy_j, variance = target.expected_j, self._left(target, target)
        if self._whole_left:
            gain = self._left(target, whole) / self._whole_left
            energy_j += gain * (whole.box.energy_j - whole.expected_j)
            variance -= gain * gain * self._whole_left
        return energy_j, max(variance, 0.0)

    def _target(self, box: Box) -> Target:
        across = [self._covariance(own, box) for own in self._boxes]
        white = [sum(map(mul, row, across)) for row in self._lower]
        expected_j = self._mean_w * (box.end_s - box.start_s) + sum(map(mul, white, self._white))
        return Target(box, white, expected_j)

    def _left(self, one: Target, other: Target) -> float:
        """Covariance of two energies that the readings leave."""
        told: float = sum(map(mul, one.white, other.white))
        return self._covariance(one.box, other.box) - told

    def local_scale2_w2(self, at_s: float, reach_s: float) -> float:
        """Variance of power near *at_s* in W²: how readings there miss what the others predict.

        The miss of each reading, predicted from all others, in units of its expected
        spread, comes from the inverse of the covariance matrix (Dubrule 1983).
        """
        total, weights = 0.0, 0.0
        for i, box in enumerate(self._boxes):
            column = [row[i] for row in self._lower[i:]]
            miss = sum(map(mul, column, self._white[i:]))
            away_s = max(box.start_s - at_s, at_s - box.end_s, 0.0)
            weight = math.exp(-away_s / reach_s)
            total += weight * miss * miss / sum(value * value for value in column)
            weights += weight
        return total / weights

    def _covariances(self, widths: Sequence[float]) -> list[list[float]]:
        boxes = self._boxes
        rows = [
            [self._covariance(box, other) for other in boxes[: i + 1]]
            for i, box in enumerate(boxes)
        ]
        for i, (box, width) in enumerate(zip(boxes, widths, strict=True)):
            rows[i][i] += box.noise * width * width + ROUNDING * rows[i][i]
        return rows

    def _covariance(self, a: Box, b: Box) -> float:
        (a_start, a_end, *_), (b_start, b_end, *_) = a, b
        known = WEAK_MEAN * (a_end - a_start) * (b_end - b_start)
        if self._course.has_trend:
            moment = (
                (a_end - a_start) * (a_end + a_start) * (b_end - b_start) * (b_end + b_start) / 4
            )
            known += WEAK_TREND * moment / self._period_s**2
        integral = self._integral
        return (
            known
            + integral(a_end - b_start)
            - integral(a_start - b_start)
            - integral(a_end - b_end)
            + integral(a_start - b_end)
        )

    def _integral(self, lag_s: float) -> float:
        """The function whose second derivative is the covariance of power."""
        away = abs(lag_s) / self._length_s
        smoothly = self._length_s * self._length_s * self._course.integral(away)
        if not self._buzz_s2:
            return smoothly
        return smoothly - self._buzz_s2 * math.exp(-abs(lag_s) / FASTEST_S)


def _slight(misplaced: Mapping[tuple[int, int], float], told_j2: Sequence[float]) -> bool:
    """Whether instants that are not known exactly explain next to nothing of any reading."""
    return all(misplaced[i, i] < SLIGHT * one_j2 for i, one_j2 in enumerate(told_j2))


def _inverse_factor(rows: list[list[float]]) -> tuple[list[list[float]], float]:
    """Inverse of the Cholesky factor of a matrix given by its lower rows, and log det."""
    inverse: list[list[float]] = []
    log_determinant = 0.0
    size = len(rows)
    for i, row in enumerate(rows):
        # row of the factor: L[i][j] = sum_k row[k] * inverse[j][k]
        factor = [sum(map(mul, row, inverse[j])) for j in range(i)]
        pivot = math.sqrt(max(row[i] - sum(value * value for value in factor), 1e-300))
        log_determinant += 2 * math.log(pivot)
        solved = [-sum(factor[k] * inverse[k][j] for k in range(j, i)) / pivot for j in range(i)]
        inverse.append([*solved, 1.0 / pivot, *[0.0] * (size - i - 1)])
    return inverse, log_determinant
