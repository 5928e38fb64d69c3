"""The order of the summary: what matters first, or what somebody asked for."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_llem.reports.figures import figure
from pytest_llem.reports.rows import fails, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_llem.reports.arrangement import SortKey
    from pytest_llem.reports.rows import SummaryRow

_REGRESSED = "regressed"
_CLASSES = {
    _REGRESSED: 0,
    **dict.fromkeys(("failed", "error", "crashed", "timed out"), 1),
    "invalid": 2,
    **dict.fromkeys(("inconclusive", "incomparable"), 3),
}
"""Words that call for somebody, the most urgent first; all others stay in their order."""
_DIGITS = re.compile(r"(\d+)")


def in_order(
    rows: Sequence[SummaryRow], keys: Sequence[SortKey], *, strict: bool = False
) -> list[SummaryRow]:
    """*rows* as *keys* ask for; equal ones in their order, unknown figures last."""
    found = list(rows)
    for key in reversed(keys):
        if key.name == "worst":
            found.sort(key=partial(_severity, strict=strict), reverse=key.descending)
        elif key.name == "run":
            found = sorted(rows, key=_began)[:: -1 if key.descending else 1]
        else:
            found = _sorted(found, key)
    return found


def worst_first(rows: Iterable[SummaryRow], *, strict: bool) -> list[SummaryRow]:
    """Regressions by their size, then what broke, what is invalid, and what cannot be told.

    What fails the run for being *strict* only is ahead of what does not fail it.
    """
    return sorted(rows, key=partial(_severity, strict=strict))


def wall_s(row: SummaryRow) -> float | None:
    """What all processes of an experiment took, in seconds."""
    if not row.processes:
        return row.result.wall_s
    known = [one.wall_s for one in row.processes if one.wall_s is not None]
    return sum(known) if known else None


def relative_uncertainty(row: SummaryRow) -> float | None:
    """Half-width of the shown energy's interval over the energy itself."""
    entry = row.entry
    if entry.denominator is None:
        return None
    spread = getattr(entry.measured, entry.denominator.uncertainty)
    energy_j = getattr(entry.measured, entry.denominator.metric)
    return abs(spread / energy_j) if spread is not None and energy_j else None


def _sorted(rows: list[SummaryRow], key: SortKey) -> list[SummaryRow]:
    value = _VALUES.get(key.name, _figure(key.name))
    valued = [(value(row), row) for row in rows]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=key.descending)
    return [row for _, row in known] + [row for found, row in valued if found is None]


def _figure(name: str) -> Callable[[SummaryRow], float | None]:
    return lambda row: figure(row.measured, name, row.result.recorded)


def _severity(row: SummaryRow, *, strict: bool) -> tuple[bool, int, float]:
    entry = row.entry
    place = _CLASSES.get(entry.word, len(_CLASSES))
    change = _change(row) if entry.word == _REGRESSED else None
    return not fails(row, strict=strict), place, -abs(change or 0.0)


def _change(row: SummaryRow) -> float | None:
    decisive = row.entry.decisive
    return None if decisive is None else decisive.change


def _began(row: SummaryRow) -> str:
    return (row.processes or (row.result,))[0].started_at


def _energy(row: SummaryRow) -> float | None:
    denominator = row.entry.denominator
    return None if denominator is None else figure(row.measured, denominator.metric)


def _name(row: SummaryRow) -> tuple[Any, ...]:
    """Numbers within names count as numbers, so that 8 comes before 16."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(name_of(row))
    )


_VALUES: dict[str, Callable[[SummaryRow], Any]] = {
    "name": _name,
    "energy": _energy,
    "tokens/s": _figure("output_tokens_per_s"),
    "change": _change,
    "uncertainty": relative_uncertainty,
    "wall_s": wall_s,
}
