"""The line that explains the verdict on a recorded figure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_llem.baselines.family import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.recorded.assessing import Distances
    from pytest_llem.baselines.samples import Side

DIGITS = 4


def explain_recorded(comparison: Comparison, found: Distances) -> Iterator[str]:
    """What was compared, how surely, and what that rests on."""
    yield _compared(comparison, found)
    yield _numbers(comparison)
    yield _sureness(comparison, found)
    yield from comparison.differ


def recorded_amounts(values: Sequence[float], unit: str = "") -> str:
    """Values with an arrow between them, with so many digits as they are worth."""
    return f"{' → '.join(_number(value) for value in values)} {unit}".rstrip()


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.{DIGITS}g}"


def _compared(comparison: Comparison, found: Distances) -> str:
    low, high = found.reach
    rule, unit = comparison.rule, comparison.unit
    if rule.limit is not None:
        value = recorded_amounts([found.candidate], unit)
        around = (
            f" [{_number(rule.limit + low)}, {_number(rule.limit + high)}]" if high > low else ""
        )
        return f"{value}{around} against the limit {_spaced(rule.tolerance)}"
    values = recorded_amounts([found.baseline, found.candidate], unit)
    around = f" [{_number(low, '+')}, {_number(high, '+')}]" if high > low else ""
    change = _number(found.difference, "+")
    better = "higher" if rule.higher_is_better else "lower"
    return f"{values}, {change}{around} at tolerance {_spaced(rule.tolerance)}, {better} is better"


def _spaced(tolerance: str) -> str:
    return re.sub(r"\s*%", " %", tolerance)


def _numbers(comparison: Comparison) -> str:
    now = len(comparison.candidate.samples)
    said = f"{now} process{'es' if now > 1 else ''}"
    if comparison.rule.limit is None and comparison.baseline is not None:
        sessions = len(comparison.baseline.sessions)
        spread = f" of {sessions} sessions" if sessions > 1 else ""
        said += f" against {len(comparison.baseline.samples)}{spread}"
    return said


def _sureness(comparison: Comparison, found: Distances) -> str:
    items = _items(comparison.candidate)
    if found.reach[1] > found.reach[0]:
        return f"{items}{CONFIDENCE:.0%} interval".replace("%", " %")
    return f"{items}taken as exact"


def _items(side: Side) -> str:
    counts = sorted({one.items for one in side.samples if one.items is not None})
    if not counts:
        return ""
    said = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{said} item{'s' if said != '1' else ''} a process, "
