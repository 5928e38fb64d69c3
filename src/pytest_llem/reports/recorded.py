"""What tests recorded: a line an experiment with ``-v``, one a process with ``-vv``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.energy.naming import QUALITY
from pytest_llem.reports.ink import Line, line
from pytest_llem.reports.quantities import number
from pytest_llem.reports.rows import name_of
from pytest_llem.reports.text import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.text import Glyphs
    from pytest_llem.reports.view import View


def recorded_lines(rows: Sequence[SummaryRow], view: View) -> Iterator[Line]:
    """The figures that each experiment recorded, if any did."""
    if view.verbosity < 1:
        return
    recorded = [(name, figures) for row in rows for name, figures in _of_each(row, view) if figures]
    if recorded:
        yield line("")
        yield line("recorded", "bold")
    for name, figures in recorded:
        text = view.clean(f"{name}: {', '.join(told(one, view.signs) for one in figures)}")
        yield from (line(part) for part in wrapped(text, view.width, first="  ", indent="    "))


def _of_each(row: SummaryRow, view: View) -> Iterator[tuple[str, Sequence[Recorded]]]:
    yield name_of(row), row.result.recorded
    if view.verbosity > 1 and row.planned > 1:
        for one in row.processes:
            yield f"{name_of(row)}, process {one.repeat + 1}", one.recorded


def told(one: Recorded, signs: Glyphs) -> str:
    """A figure with its name, and how many items it is of."""
    counted = "" if one.items is None else f" ({items_of(one.items)})"
    return f"{one.name} {figure_text(one, signs)}{counted}"


def figure_text(one: Recorded, signs: Glyphs) -> str:
    """A figure with its uncertainty, if it has one, and its unit."""
    sure = one.uncertainty is not None
    written = number(one.value, one.uncertainty, signs=signs, with_uncertainty=sure)
    return f"{written.text(signs)}{one.unit and ' '}{one.unit}"


def items_of(count: int) -> str:
    """So many items in words."""
    return f"{count} item{'' if count == 1 else 's'}"


def never_recorded(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What rules are about and no experiment recorded, with what was recorded."""
    results = [one for row in rows for one in (row.result, *row.processes)]
    known = dict.fromkeys(figure.metric for result in results for figure in result.recorded)
    asked = dict.fromkeys(
        judgement.metric
        for row in rows
        for judgement in row.judgements
        if judgement.metric.startswith(QUALITY)
    )
    if missing := [metric for metric in asked if metric not in known]:
        first = missing[0].removeprefix(QUALITY)
        there = f"recorded were {', '.join(known)}" if known else "none recorded anything"
        yield (
            f"no experiment recorded {', '.join(missing)}, so that gates about it judged nothing: "
            f"energy.record({first!r}, ...) in a test does; {there}"
        )
