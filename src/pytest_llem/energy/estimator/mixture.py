"""Intervals of energies for which there are several explanations, each with a weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.95
"""Share of all cases that an interval is to hold."""
SLIGHT = 0.002
"""An explanation with less weight is left out of intervals."""
HALVINGS = 24
"""Steps of the search for an interval; each halves what is unsure about it."""
WIDEST = 6.0
"""No normal distribution reaches further, in standard deviations."""


def mixed(parts: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Mean and variance of a mixture: of weights that add up to one, means and variances."""
    mean = math.fsum(weight * own_mean for weight, own_mean, _ in parts)
    return mean, math.fsum(
        weight * (variance + (own_mean - mean) ** 2) for weight, own_mean, variance in parts
    )


class Normal(NamedTuple):
    """One explanation: its weight, and the normal distribution that it makes of the energy."""

    weight: float
    mean_j: float
    variance_j2: float


class Mixture(NamedTuple):
    """What all explanations say together; their weights add up to one."""

    parts: tuple[Normal, ...]

    def widened(self, variance_j2: float) -> Mixture:
        """The same, each explanation less sure by a variance."""
        parts = (part._replace(variance_j2=part.variance_j2 + variance_j2) for part in self.parts)
        return Mixture(tuple(parts))

    def stretched(self, factor: float) -> Mixture:
        """The same about the same mean, but so many times as wide."""
        middle_j = self.mean_j
        parts = (
            Normal(weight, middle_j + factor * (mean_j - middle_j), factor**2 * variance_j2)
            for weight, mean_j, variance_j2 in self.parts
        )
        return Mixture(tuple(parts))

    def beside(self, other: Normal) -> Mixture:
        """These explanations and another one, whose weight they leave."""
        left = 1 - other.weight
        parts = (part._replace(weight=left * part.weight) for part in self.parts)
        return Mixture((*parts, other))

    @property
    def mean_j(self) -> float:
        """Mean over all explanations."""
        return math.fsum(part.weight * part.mean_j for part in self.parts)

    @property
    def variance_j2(self) -> float:
        """Variance about that mean: of the explanations, and between them."""
        _, variance_j2 = mixed(self.parts)
        return variance_j2


def half_width_j(start: Mixture, end: Mixture, together: float, other_j2: float) -> float:
    """Half of the interval, about its mean, that holds the difference in 95 % of all cases.

    Where one explanation is all but certain it decides, however far off the others are; a
    standard deviation would be theirs.

    Args:
        start: the energy that is taken away.
        end: the energy that it is taken from.
        together: how far both are off together, from -1 to 1.
        other_j2: variance of what else there is.
    """
    apart_j2 = start.variance_j2 + end.variance_j2
    both_j2 = math.sqrt(start.variance_j2 * end.variance_j2)
    left = max(1 - 2 * together * both_j2 / apart_j2, 0.0) if apart_j2 else 1.0
    pairs = [
        (a.weight * b.weight, math.sqrt(left) * (b.off_j - a.off_j), left * (a.j2 + b.j2))
        for a in _offsets(start)
        for b in _offsets(end)
    ]
    scaled = [(w, abs(off), math.sqrt(2 * (j2 + other_j2))) for w, off, j2 in pairs]
    low_j = 0.0
    high_j = max(off + WIDEST * spread for _, off, spread in scaled)
    for _ in range(HALVINGS):
        middle_j = (low_j + high_j) / 2
        if _held(scaled, middle_j) < LEVEL:
            low_j = middle_j
        else:
            high_j = middle_j
    return high_j


class _Offset(NamedTuple):
    weight: float
    off_j: float
    j2: float


def _offsets(mixture: Mixture) -> list[_Offset]:
    """The explanations that count, about the mean of all."""
    middle_j = mixture.mean_j
    counting = [part for part in mixture.parts if part.weight >= SLIGHT]
    total = math.fsum(part.weight for part in counting)
    return [
        _Offset(part.weight / total, part.mean_j - middle_j, part.variance_j2) for part in counting
    ]


def _held(scaled: Sequence[tuple[float, float, float]], half_j: float) -> float:
    """Share of all cases within so much of the mean; spreads are deviations times √2."""
    return 0.5 * math.fsum(
        weight * (math.erf((half_j - off) / spread) + math.erf((half_j + off) / spread))
        if spread
        else 2 * weight * (off <= half_j)
        for weight, off, spread in scaled
    )
