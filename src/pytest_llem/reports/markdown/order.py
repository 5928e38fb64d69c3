"""What matters most comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.rows import fails

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View

GOOD = ("improved", "pass", "not gated", "measured", "not measured", "skipped")
"""Words of experiments that nobody has to look at."""
_WORDS = (
    *("regressed", "crashed", "timed out", "error", "failed"),
    *("invalid", "inconclusive", "incomparable", "new"),
    *GOOD,
)


def worst_first(rows: Iterable[SummaryRow], view: View) -> list[SummaryRow]:
    """*rows* by what they came to, and within that the largest change first.

    What fails the run is ahead of all else, also where it does so for being strict only.
    """
    return sorted(rows, key=lambda row: _rank(row, view))


def _rank(row: SummaryRow, view: View) -> tuple[bool, int, float]:
    entry = row.entry
    decisive = entry.decisive
    change = decisive.change if decisive is not None else None
    place = _WORDS.index(entry.word) if entry.word in _WORDS else len(_WORDS)
    return not fails(row, strict=view.strict), place, -abs(change or 0.0)


def is_good(row: SummaryRow, view: View) -> bool:
    """Whether an experiment is one of those that nobody has to look at."""
    return row.entry.word in GOOD and not fails(row, strict=view.strict)
