"""Where a tolerance lies, as bounds on the logarithm of the metric now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.baselines.rules import Rule


@dataclass(frozen=True, slots=True)
class Bound:
    """A value that depends on the baseline."""

    log: float
    """Logarithm of the bound; minus infinity if no positive value reaches it."""
    gain: float
    """How the bound's logarithm moves with the baseline's: 1 for a ratio."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one rule; a change exceeds a rule only if it exceeds all of a kind."""

    worse: tuple[Bound, ...]
    better: tuple[Bound, ...]


def bounds(rule: Rule, baseline: float, *, higher_is_better: bool) -> Bounds:
    """The bounds of *rule* around *baseline*, the logarithm of the metric there."""
    value = math.exp(baseline)
    upper, lower = _around(rule, value, 1), _around(rule, value, -1)
    return Bounds(lower, upper) if higher_is_better else Bounds(upper, lower)


def _around(rule: Rule, baseline: float, sign: int) -> tuple[Bound, ...]:
    found = []
    if rule.relative is not None:
        found.append(_bound(baseline * (1 + sign * rule.relative), 1.0))
    if rule.absolute is not None:
        value = baseline + sign * rule.absolute
        found.append(_bound(value, baseline / value if value > 0 else 0.0))
    return tuple(found)


def _bound(value: float, gain: float) -> Bound:
    return Bound(math.log(value) if value > 0 else -math.inf, gain)
