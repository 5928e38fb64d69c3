"""A comparison: one metric of one measurement on both sides, ready to be judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_llem.baselines.prior import Profile  # noqa: TC001 - who sends comparisons looks it up
from pytest_llem.baselines.rules import Rule  # noqa: TC001 - the same
from pytest_llem.baselines.samples import Side  # noqa: TC001 - the same
from pytest_llem.energy.naming import QUALITY


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one measurement, the baseline's samples against the candidate's."""

    experiment: str
    """Tells the experiments of a family apart; comparisons of one experiment share it."""
    measurement: str
    rule: Rule
    profile: Profile
    """Which prior its noise has."""
    baseline: Side | None
    """``None`` if there is no baseline."""
    candidate: Side
    same_session: bool = False
    """Whether both sides were measured in one session, so that it cancels."""
    same_cards: bool = True
    """Whether both sides were measured on the very same devices."""
    refuse: tuple[str, ...] = ()
    """Why the two sides cannot be compared; empty if they can."""
    differ: tuple[str, ...] = ()
    """What differs and may: named in the verdict."""
    factors: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What may explain a change, by name: in the baseline, now."""
    loops: dict[str, float] = field(default_factory=dict)
    """Relative change of each of the anchors' loops in this session, in the metric's terms; empty
    without anchors on both sides."""
    no_anchors: str = ""
    """Why the anchors of the baseline's sessions are of no use; empty if they are, or if it has none."""
    factor_errors: dict[str, float] = field(default_factory=dict)
    """Standard error of the logarithm of their ratio, by how processes differ."""
    output_tokens: int | None = None
    """Of one pass, the same on both sides; ``None`` if they are unknown."""
    unit: str = ""
    """Of a figure that a test recorded, as it has it."""

    @property
    def is_recorded(self) -> bool:
        """Whether it is of a figure that a test recorded, which is judged by differences."""
        return self.rule.metric.startswith(QUALITY)
