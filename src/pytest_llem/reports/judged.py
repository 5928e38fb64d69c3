"""Columns of the summary table that compare with baselines: the change, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.reports.cells import Cell, Cells
from pytest_llem.reports.quantities import ESTIMATED_MARK, percent
from pytest_llem.reports.room import turn
from pytest_llem.reports.rows import MEASURED, STYLES
from pytest_llem.reports.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.reports.rows import Entry
    from pytest_llem.reports.view import View

VERDICT = "verdict"
STAR = "*"
"""Follows a verdict that is of another figure, where there is no room to say of which."""


def change(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    """What judging found most telling, against the baseline; no column if nothing was compared."""
    cells = [_change_cell(entry, view) for entry in entries]
    if any(cell.parts != (view.signs.unknown,) for cell in cells):
        name = f"change from {view.against}"
        title = (name, "% [interval]")
        values = [entry.decisive.change if entry.decisive else None for entry in entries]
        yield Column(name, title, cells, (True, False, False), leaves=turn("change"), values=values)


def _change_cell(entry: Entry, view: View) -> Cell:
    judgement = entry.decisive
    if judgement is None or (judgement.change is None and judgement.interval is None):
        return Cell((view.signs.unknown,))
    written = percent(judgement.change, judgement.interval, signs=view.signs)
    mark = ESTIMATED_MARK if is_estimate(entry.measured, judgement.metric) else ""
    interval = f" {written.interval}" if written.interval else ""
    parts = (mark + written.number.whole, written.number.fraction, interval)
    style = STYLES[judgement.verdict] if judgement.verdict in {"regressed", "improved"} else ""
    return Cell(parts, style)


def verdict(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    """How each row came out; no column if all were only measured."""
    if all(entry.word == MEASURED for entry in entries):
        return
    words = [Cell((_word(entry, view),), STYLES.get(entry.word, "")) for entry in entries]
    full = [_qualified(entry, cell, view) for entry, cell in zip(entries, words, strict=True)]
    starred = Cells(len(entries), lambda i: _starred(entries[i], words[i]))
    narrow = Column(VERDICT, ("", VERDICT), starred, (False,))
    yield replace(narrow, cells=full, short=lambda: narrow, narrows=turn("narrow verdict"))


def _word(entry: Entry, view: View) -> str:
    return view.signs.unknown if entry.word == MEASURED else entry.word


def _qualified(entry: Entry, cell: Cell, view: View) -> Cell:
    qualifier = view.clean(of_another(entry))
    return Cell((f"{cell.parts[0]} {qualifier}".rstrip(),), cell.style)


def _starred(entry: Entry, cell: Cell) -> Cell:
    return Cell((cell.parts[0] + STAR * bool(of_another(entry)),), cell.style)


def of_another(entry: Entry) -> str:
    """Which other figure than the one shown the verdict and the change are of; empty if none."""
    judgement = entry.decisive
    if judgement is None or judgement.verdict != entry.word:
        return ""
    return entry.qualifier(judgement)
