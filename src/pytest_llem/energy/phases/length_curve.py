"""A parabola through windows at several lengths, with what it says at no length at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import variance
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.phases.least_squares import Fit, fit
from pytest_llem.energy.student import student_95

if TYPE_CHECKING:
    from collections.abc import Sequence

TERMS = 3
LAWS = (0.0, 2.0)
"""Powers of its unit by which an observation may scatter beside the first: all by the same,
and the large ones far more."""


class Observation(NamedTuple):
    """What one window came to."""

    group: int
    """Windows of one group are repetitions of one another."""
    x: float
    y: float
    deviation: float
    """Standard deviation that is stated of *y*."""
    unit: float
    """In what its scatter beyond that is counted: windows last alike, so what makes power
    waver moves the energy of a pass by as much as the pass is long."""


def curve_through(observations: Sequence[Observation]) -> Curve:
    """The parabola that fits best.

    Raises:
        ValueError: there are not more than three observations, or less than three values of x.
    """
    longest = max(one.x for one in observations) or 1.0
    scaled = [one.x / longest for one in observations]
    terms = [(1.0, x, x * x) for x in scaled]
    otherwise = tuple(
        _fitted(terms, [one._replace(unit=one.unit**law) for one in observations]) for law in LAWS
    )
    return Curve(tuple(observations), longest, _fitted(terms, observations), otherwise)


@dataclass(frozen=True)
class Curve:
    """A fitted parabola."""

    observations: tuple[Observation, ...]
    longest: float
    fit: Fit
    """Of terms in x over *longest*."""
    otherwise: tuple[Fit, ...]
    """The same with scatter by each of :data:`LAWS`."""

    @property
    def at_zero(self) -> float:
        """The value at x = 0."""
        return self.fit.coefficients[0]

    @property
    def shares_at_zero(self) -> tuple[float, ...]:
        """How much each observation counts in it; of anything that is linear in them."""
        return self.fit.shares[0]

    @property
    def bends(self) -> bool:
        """Whether it is a parabola rather than a line, with 95 % confidence."""
        return abs(self.fit.coefficients[2]) > self.half_width(self.fit.shares[2])

    def slope(self, x: float) -> float:
        """How much it rises per unit at *x*."""
        _, first, second = self.fit.coefficients
        return (first + 2 * second * x / self.longest) / self.longest

    def half_width(self, shares: Sequence[float]) -> float:
        """Half-width of the 95 % interval of a sum over the observations with these shares.

        By Student's t. The observations' variances are the fit's, which takes them to scatter
        alike. Where that is not so, a group's own scatter says more of it, with as few degrees
        of freedom as it has (Satterthwaite 1946, Biometrics Bulletin 2, 110): of the two, each
        group counts with what makes the wider interval. One that has a single member shows no
        scatter, so it may have any that the residuals allow: it counts with the largest by
        several laws of how observations scatter.
        """
        alike, apart = 0.0, []
        for members in self._groups.values():
            squares = math.fsum(shares[i] ** 2 for i in members)
            fits = (self.fit, *self.otherwise) if len(members) == 1 else (self.fit,)
            pooled = max(
                math.fsum(shares[i] ** 2 * fit.variances[i] for i in members) for fit in fits
            )
            own, degrees = squares * self._own_variance(members), len(members) - 1
            if degrees and _wide(own, degrees) > _wide(pooled, self.fit.degrees):
                apart.append((own, degrees))
            else:
                alike += pooled
        return _half_width([(alike, self.fit.degrees), *apart])

    def misfit(self) -> tuple[float, int, int] | None:
        """F for lack of fit, with its degrees of freedom; ``None`` where nothing tests it.

        The curve's misses beyond those of the groups' own means, against the scatter within
        groups; of an instrument that states more than that scatter, against what it states.
        """
        groups = list(self._groups)
        spare, degrees = len(groups) - TERMS, len(self.observations) - len(groups)
        if spare < 1 or degrees < 1:
            return None
        means = [tuple(float(one.group == group) for group in groups) for one in self.observations]
        within = _fitted(means, self.observations)
        curve = self.fit.weighted_like(within)
        return max(curve.chi2 - within.chi2, 0.0) / spare, spare, degrees

    @cached_property
    def _groups(self) -> dict[int, list[int]]:
        """Numbers of the observations of each group."""
        found: dict[int, list[int]] = {}
        for number, one in enumerate(self.observations):
            found.setdefault(one.group, []).append(number)
        return found

    def _own_variance(self, members: Sequence[int]) -> float:
        values = [self.observations[i].y for i in members]
        return variance(values) if len(values) > 1 else 0.0


def _wide(part: float, degrees: int) -> float:
    """The square of the interval's half-width that such a variance makes alone."""
    return student_95(degrees) ** 2 * part


def _half_width(parts: Sequence[tuple[float, int]]) -> float:
    """Of a sum of independent parts, from their variances and degrees of freedom."""
    total = math.fsum(part for part, _ in parts)
    if not total:
        return 0.0
    degrees = total**2 / math.fsum(part**2 / degrees for part, degrees in parts)
    return math.sqrt(_wide(total, max(int(degrees), 1)))


def _fitted(terms: Sequence[Sequence[float]], observations: Sequence[Observation]) -> Fit:
    return fit(
        terms,
        [one.y for one in observations],
        [one.deviation**2 for one in observations],
        [one.unit for one in observations],
    )
