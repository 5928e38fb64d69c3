"""The columns of the page's table: the terminal's, and those for which it lacks room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.columns import summary_columns
from pytest_llem.reports.estimates import is_estimate
from pytest_llem.reports.html.packing import finite
from pytest_llem.reports.quantities import ESTIMATED_MARK, common_exponent, number, prefix, unit_of
from pytest_llem.reports.table import Cell, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.reports.rows import Entry
    from pytest_llem.reports.view import View

FIRST = ("verdict", "change")
"""What somebody wants to know first; a change is headed by what it is from."""
FURTHER = (("ttft_s", "TTFT"), ("power_w", "power"))


def page_columns(entries: Sequence[Entry], view: View) -> list[dict[str, Any]]:
    """Every column with something to say, as JSON values; the verdict and the change come first."""
    columns = [*summary_columns(entries, view), *_further(entries, view)]
    columns.sort(key=_turn)
    return [_plain(column) for column in columns]


def _turn(column: Column) -> int:
    kind = column.name.partition(" ")[0]
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _further(entries: Sequence[Entry], view: View) -> Iterator[Column]:
    for field, title in FURTHER:
        values = [getattr(entry.measured, field, None) for entry in entries]
        if any(value is not None for value in values):
            yield _column(field, title, entries, values, view)


def _column(
    field: str,
    title: str,
    entries: Sequence[Entry],
    values: Sequence[float | None],
    view: View,
) -> Column:
    unit, exponent = unit_of(field), common_exponent(values)
    cells = []
    for entry, value in zip(entries, values, strict=True):
        written = number(value, signs=view.signs, exponent=exponent)
        estimated = value is not None and is_estimate(entry.measured, field)
        mark = ESTIMATED_MARK if estimated else ""
        cells.append(Cell((mark + written.whole, written.fraction)))
    symbol = prefix(exponent, view.signs) + unit.symbol
    return Column(title, (title, symbol), cells, (True, False), values=values)


def _plain(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.name.partition(" ")[0] if _turn(column) < len(FIRST) else "",
        "title": column.title[0] or column.title[1],
        "unit": column.title[1] if column.title[0] else "",
        "number": bool(column.values),
        "right": list(column.right),
        "cells": [
            [list(cell.parts), bool(cell.is_aligned), cell.style == "dim"] for cell in column.cells
        ],
        "values": [finite(value) for value in column.values],
    }
