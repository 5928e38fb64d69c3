"""The summary at the end of a run, as lines for a terminal.

Plain strings rather than rich: one table needs little of it, the lines go through
pytest's own reporter, and the pytest process is spared rich's import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports import notes
from pytest_llem.reports.arrangement import USUAL, Arrangement
from pytest_llem.reports.columns import summary_columns
from pytest_llem.reports.groups import grouped, labels_at, natural_width, with_headings
from pytest_llem.reports.hints import (
    Caveats,
    caveats,
    disturbed_lines,
    hint_lines,
    summary_line,
)
from pytest_llem.reports.ink import Line, line, painted
from pytest_llem.reports.quantities import ESTIMATED_MARK
from pytest_llem.reports.recorded import recorded_lines
from pytest_llem.reports.rows import SummaryRow, name_of, shared_processes
from pytest_llem.reports.sorting import in_order
from pytest_llem.reports.table import Labels, laid_out
from pytest_llem.reports.text import cut_middle
from pytest_llem.reports.uncollected import uncollected
from pytest_llem.reports.view import BASELINE, View
from pytest_llem.reports.windows import window_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.table import Table


__all__ = ["SummaryRow", "summary_lines"]


def summary_lines(  # noqa: PLR0913 -- a terminal has that many sides
    rows: Sequence[SummaryRow],
    *,
    width: int,
    colour: bool,
    unicode: bool,
    verbosity: int,
    strict: bool = False,
    against: str = BASELINE,
    arrangement: Arrangement = USUAL,
    disturbances: Sequence[str] = (),
) -> list[str]:
    """The summary of a run: a table, then notes, then one line that sums it up.

    Args:
        rows: The experiments in the order they ran.
        width: Columns of the terminal; no line takes more.
        colour: Whether to write ANSI colours.
        unicode: Whether the terminal shows more than ASCII.
        verbosity: pytest's: below 0 only what failed and the last line, from 1
            on the explanation of every verdict and every measurement, from 2 on
            every window.
        strict: Whether verdicts that tell nothing fail the run.
        against: What changes are changes from, where that is no baseline.
        arrangement: Columns, order and headings.
        disturbances: What about the machine spoils figures, each in a few words.

    Returns:
        Lines without line breaks; none if there are no rows.
    """
    if not rows:
        return []
    processes = shared_processes(rows)
    view = View(max(width, 1), colour, unicode, verbosity, strict, against, arrangement, processes)
    with uncollected():
        return _lines(in_order(rows, arrangement.sort, strict=strict), disturbances, view)


def _lines(rows: Sequence[SummaryRow], disturbances: Sequence[str], view: View) -> list[str]:
    failures = notes.note_lines(notes.failures(rows, view), view)
    found = caveats(rows)
    body = failures if view.verbosity < 0 else _in_full(rows, failures, found, view)
    if view.verbosity >= 0:
        body = [*body, *disturbed_lines(disturbances, view)]
    last = summary_line([row.entry for row in rows], found, view)
    return [
        painted(spans, width=view.width, signs=view.signs, colour=view.colour)
        for spans in [*body, *last]
    ]


def _in_full(
    rows: Sequence[SummaryRow], failures: list[Line], found: Caveats, view: View
) -> list[Line]:
    table, laid = _table(rows, view)
    others = [*notes.verdicts(rows, view), *notes.invalid(rows, view), *notes.warnings(rows, view)]
    said = [*failures, *notes.note_lines(others, view)]
    hints = hint_lines(rows, laid, found, view)
    between = [line("")] if said and hints else []
    windows = _windows(rows, view) if view.verbosity > 1 else ()
    recorded = recorded_lines(rows, view)
    return [*table, *windows, *recorded, line(""), *said, *between, *hints]


def _table(rows: Sequence[SummaryRow], view: View) -> tuple[list[Line], Table]:
    groups = grouped(rows, view)
    columns = summary_columns([entry for group in groups for entry in group.entries], view)
    labels = Labels(
        "experiment", natural_width(groups), lambda room: labels_at(groups, room, view.signs)
    )
    table = laid_out(labels, columns, width=view.width, signs=view.signs)
    return [*table.head, *with_headings(groups, table.rows, view)], table


def _windows(rows: Sequence[SummaryRow], view: View) -> Iterator[Line]:
    """Every window of every measurement, experiment by experiment."""
    for row in rows:
        for process, measured in _of_each_process(row):
            name = view.clean(f"{name_of(row)}{process}, {measured.name}")
            estimated = f" ({ESTIMATED_MARK} estimated)" if measured.estimated else ""
            room = max(view.width - len(estimated), 1)
            yield line("")
            yield line(cut_middle(name, room, view.signs.ellipsis) + estimated, "bold")
            if measured.windows:
                yield from window_lines(measured, view)


def _of_each_process(row: SummaryRow) -> Iterator[tuple[str, Measured]]:
    """Every measurement, after the process that made it where there were several."""
    for result in row.processes or (row.result,):
        process = f", process {result.repeat + 1}" if row.planned > 1 else ""
        yield from ((process, measured) for measured in result.measurements)
