"""Components of variance: their moderation, and what is known of sessions, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.arrays import Bools, Floats


def combined(parts: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Root of the sum of variances, each with its degrees of freedom, and the sum's own."""
    variance = sum((part for part, _ in parts), start=np.zeros_like(parts[0][0]))
    spread = sum((part**2 / df for part, df in parts), start=np.zeros_like(variance))
    return np.sqrt(variance), variance**2 / spread


def moderated(expected: Floats, expected_df: Floats, squares: Floats, df: Floats) -> Floats:
    """Posterior variance ``(d0*s0² + squares) / (d0 + d)``, with ``d0 + d`` degrees of freedom.

    Source: Smyth (2004), Statistical Applications in Genetics and Molecular Biology
    3(1), article 3.
    """
    return (expected_df * expected + squares) / (expected_df + df)


@dataclass(frozen=True, slots=True, eq=False)
class Variance:
    """A variance component as estimated."""

    value: Floats
    df: Floats
    assumed: Floats
    """Its standard deviation where the samples do not speak; else NaN."""

    @classmethod
    def either(cls, first: Bools, one: Variance, other: Variance) -> Variance:
        return cls(
            *(np.where(first, getattr(one, name), getattr(other, name)) for name in cls.__slots__)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Allowance:
    """A variance that is allowed for before its own samples are seen."""

    value: Floats
    weight: Floats
    """Degrees of freedom of the samples' own that it outweighs."""
    tail_df: Floats
    """Degrees of freedom of a test that rests on it alone."""

    def moderated(self, squares: Floats, df: Floats) -> Variance:
        """With what samples say; they may speak for *df* degrees of freedom, or none.

        The posterior is that of :func:`moderated`. It is as uncertain as its parts are: the
        allowance by its own degrees of freedom, what the samples say by theirs (Satterthwaite
        1946), where a spread that is small by chance does not pass for a sure one.
        """
        value = moderated(self.value, self.weight, squares, df)
        both = self.weight + df
        own = np.maximum(self.value, squares / np.maximum(df, 1e-9))
        spread = (self.weight / both * self.value) ** 2 / self.tail_df + own**2 * df / both**2
        assumed = np.where(df > 0, np.nan, np.sqrt(self.value))
        return Variance(value, value**2 / spread, assumed)


def of_both(sides: Floats) -> Floats:
    """Sums over the two sides of each comparison."""
    return np.asarray(sides.reshape(-1, 2).sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Locations of sides ``(comparisons, 2)`` and the variance between sessions."""

    locations: Floats
    left: Variance
    """Beyond the error of anchors."""
    error: Variance
    """That of the anchors of one session."""

    @property
    def variance(self) -> Floats:
        return self.left.value + self.error.value

    @classmethod
    def either(cls, first: Bools, one: Sessions, other: Sessions) -> Sessions:
        return cls(
            np.where(first[:, None], one.locations, other.locations),
            Variance.either(first, one.left, other.left),
            Variance.either(first, one.error, other.error),
        )


def moved_by(plain: Sessions, held: Sessions) -> Floats:
    change = plain.locations[:, 1] - plain.locations[:, 0]
    return np.asarray(change - (held.locations[:, 1] - held.locations[:, 0]))
