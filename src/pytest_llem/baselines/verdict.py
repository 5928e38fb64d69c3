"""The answer of a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["pass", "regressed", "improved", "inconclusive", "incomparable", "new"]
WORST_FIRST = ("regressed", "inconclusive", "incomparable", "new", "improved", "pass")
"""Which of several verdicts stands for all; ``improved`` says more than ``pass``."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One metric of one measurement, compared with its baseline."""

    verdict: Verdict
    metric: str
    """Name of the metric, such as ``energy_per_output_token_j``."""
    measurement: str
    """Name of the measurement within its experiment."""
    candidate: float | None
    """The metric now, in the metric's unit."""
    baseline: float | None
    """The metric in the baseline, or the limit, in the metric's unit."""
    change: float | None
    """Relative change, 0.05 for five percent more; ``None`` if it could not be told."""
    interval: tuple[float, float] | None
    """Confidence interval of the relative change."""
    tolerance: str
    """The tolerance as it was declared."""
    minimum_detectable_change: float | None
    """Smallest relative change that this comparison could have shown."""
    explanation: str
    """One line: what was compared, interval, tolerance, numbers on each side, and why."""
    final: bool = True
    """Whether nothing that the rest of the family brings can change the verdict."""
    undecided: bool = False
    """Whether more processes may well decide it; only where they can be had."""
    gated: bool = True
    """Whether a rule asks for a verdict; if not, the comparison is shown and never fails."""

    is_limit: bool = False
    """Whether it was compared with a limit, which no baseline changes."""

    def failed(self, *, strict: bool) -> bool:
        """Whether this verdict fails the test."""
        if not self.gated:
            return False
        if self.verdict == "regressed":
            return True
        return strict and self.verdict in {"inconclusive", "incomparable", "new"}


def worst(judgements: Sequence[Judgement]) -> Judgement | None:
    """The judgement that stands for all: of those that are gated the worst, the first of equals."""
    return min(
        judgements,
        key=lambda judgement: (not judgement.gated, WORST_FIRST.index(judgement.verdict)),
        default=None,
    )
