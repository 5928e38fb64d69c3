"""The error rate over everything gated together, of which only a part may be known yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY_ALPHA = 0.01
"""Chance that anything in the family fails although nothing in it exceeds its tolerance."""

ALPHA = 0.05
"""Chance, per comparison and one-sided, of a wrong ``pass`` or ``improved``. The interval
shown is the two-sided one of the same two tests, with 90 % confidence, so that ``pass``
is an interval within the tolerance (Schuirmann 1987, "A comparison of the two one-sided
tests procedure and the power approach")."""
CONFIDENCE = 1 - 2 * ALPHA


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """That one gated comparison is not worse than tolerated."""

    experiment: str
    p_value: float


@dataclass(frozen=True, slots=True)
class Family:
    """What Holm's procedure decides about some of a family's hypotheses."""

    certain: frozenset[int]
    """Rejected, whatever the rest brings."""
    possible: frozenset[int]
    """Rejected, if the rest brings nothing but rejections."""
    levels: tuple[float, ...]
    """Level at which each would be tested first, before anything is rejected."""

    def decided(self, position: int) -> bool:
        """Whether the rest of the family cannot change what becomes of a hypothesis."""
        return position in self.certain or position not in self.possible


def decide(hypotheses: Sequence[Hypothesis], unknown: int) -> Family:
    """Reject hypotheses so that any wrong rejection has a chance of at most 1 %.

    *unknown* is the number of experiments of the family whose hypotheses are still to
    come. Holm's procedure rejects more when others are rejected: with the unknown
    ones counted and never rejected it rejects the least, without them, as if they had
    been rejected before, the most. So neither ``certain`` nor ``possible`` can be
    overturned.
    """
    sizes = Counter(hypothesis.experiment for hypothesis in hypotheses)
    parts = [sizes[hypothesis.experiment] for hypothesis in hypotheses]
    p_values = [hypothesis.p_value for hypothesis in hypotheses]
    total = len(sizes) + unknown
    return Family(
        certain=_rejected(p_values, parts, total),
        possible=_rejected(p_values, parts, total - unknown),
        levels=tuple(FAMILY_ALPHA / (part * total) for part in parts),
    )


def _rejected(p_values: Sequence[float], parts: Sequence[int], experiments: int) -> frozenset[int]:
    """Weighted Holm procedure: the hypotheses of one experiment share its weight of 1.

    *parts* says by how many; *experiments* is the weight of all.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6, section 4. Weights are exact, so that the
    order of summation never matters.
    """
    found = set()
    total = Fraction(experiments)
    for index in sorted(range(len(p_values)), key=lambda index: p_values[index] * parts[index]):
        if not p_values[index] * float(total) <= FAMILY_ALPHA / parts[index]:  # nor if unknown
            break
        found.add(index)
        total -= Fraction(1, parts[index])
    return frozenset(found)
