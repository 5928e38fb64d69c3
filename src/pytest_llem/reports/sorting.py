"""The order of the summary: what matters first, or what somebody asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_llem.reports.figures import figure
from pytest_llem.reports.rows import entry_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.reports.arrangement import SortKey
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View

_CLASSES = (
    {"regressed"},
    {"failed", "error", "crashed", "timed out"},
    {"invalid"},
    {"inconclusive", "incomparable"},
)
"""Words that call for somebody, the most urgent first; all others come as they ran."""
_DIGITS = re.compile(r"(\d+)")


def in_order(rows: Sequence[SummaryRow], view: View) -> list[SummaryRow]:
    """*rows* as the view's reader wants them; equal ones as they ran, unknown figures last."""
    found = list(rows)
    for key in reversed(view.arrangement.sort):
        if key.name == "run":
            found = list(rows)[:: -1 if key.descending else 1]
            continue
        found = _sorted(found, key, view)
    return found


def wall_s(row: SummaryRow) -> float | None:
    """What all processes of an experiment took, in seconds."""
    known = [one.wall_s for one in row.processes or (row.result,) if one.wall_s is not None]
    return sum(known) if known else None


def relative_uncertainty(row: SummaryRow, view: View) -> float | None:
    """Half-width of the shown energy's interval over the energy itself."""
    entry = entry_of(row, view)
    if entry.denominator is None:
        return None
    spread = figure(entry.measured, entry.denominator.uncertainty)
    energy_j = figure(entry.measured, entry.denominator.metric)
    return abs(spread / energy_j) if spread is not None and energy_j else None


def _sorted(rows: list[SummaryRow], key: SortKey, view: View) -> list[SummaryRow]:
    value = _VALUES.get(key.name, _figure(key.name))
    valued = [(value(row, view), row) for row in rows]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=key.descending)
    return [row for _, row in known] + [row for found, row in valued if found is None]


def _figure(name: str) -> Callable[[SummaryRow, View], float | None]:
    return lambda row, _: figure(row.measured, name)


def _urgency(row: SummaryRow, view: View) -> tuple[int, float]:
    """Regressions by their size, then what broke, then what cannot be told."""
    entry = entry_of(row, view)
    place = next((n for n, words in enumerate(_CLASSES) if entry.word in words), len(_CLASSES))
    change = _change(row, view) if place == 0 else None
    return place, -abs(change or 0.0)


def _change(row: SummaryRow, view: View) -> float | None:
    decisive = entry_of(row, view).decisive
    return None if decisive is None else decisive.change


def _energy(row: SummaryRow, view: View) -> float | None:
    denominator = entry_of(row, view).denominator
    return None if denominator is None else figure(row.measured, denominator.metric)


def _name(row: SummaryRow, _: View) -> tuple[Any, ...]:
    """Numbers within names count as numbers, so that 8 comes before 16."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(name_of(row))
    )


_VALUES: dict[str, Callable[[SummaryRow, View], Any]] = {
    "worst": _urgency,
    "name": _name,
    "energy": _energy,
    "tokens/s": _figure("output_tokens_per_s"),
    "change": _change,
    "uncertainty": relative_uncertainty,
    "wall_s": lambda row, _: wall_s(row),
}
