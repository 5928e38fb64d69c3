"""The columns of the page's table: the terminal's, and those for which it lacks room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.chosen import figure_column
from pytest_llem.reports.columns import summary_columns
from pytest_llem.reports.figures import figure
from pytest_llem.reports.html.packing import finite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.reports.rows import Entry
    from pytest_llem.reports.table import Column
    from pytest_llem.reports.view import View

FIRST = ("verdict", "change")
"""What somebody wants to know first; a change is headed by what it is from."""
FURTHER = ("ttft_s", "power_w")
CHOOSABLE = (
    "itl_s",
    "latencies.ttft.p99_s",
    "latencies.e2e.p99_s",
    "duration_s",
    "energy_per_request_j",
)
"""Figures that are there for who picks them."""
MOST_RECORDED = 4
"""How many of the tests' own figures are shown before somebody picks."""


def page_columns(entries: Sequence[Entry], view: View) -> list[dict[str, Any]]:
    """Every column with something to say, as JSON values; the verdict and the change come first."""
    recorded = dict.fromkeys(one.metric for entry in entries for one in entry.recorded)
    names = (*FURTHER, *recorded, *CHOOSABLE)
    columns = [*summary_columns(entries, view), *_known(names, entries, view)]
    columns.sort(key=_turn)
    hidden = {*CHOOSABLE, *list(recorded)[MOST_RECORDED:]}
    return [_plain(column, is_shown=column.name not in hidden) for column in columns]


def _turn(column: Column) -> int:
    kind = column.name.partition(" ")[0]
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _known(names: Sequence[str], entries: Sequence[Entry], view: View) -> Iterator[Column]:
    for name in names:
        if any(figure(entry.measured, name, entry.recorded) is not None for entry in entries):
            yield figure_column(name, entries, view)


def _plain(column: Column, *, is_shown: bool) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.name.partition(" ")[0] if _turn(column) < len(FIRST) else "",
        "title": column.title[0] or column.title[1],
        "unit": column.title[1] if column.title[0] else "",
        "shown": is_shown,
        "number": bool(column.values),
        "right": list(column.right),
        "cells": [
            [list(cell.parts), bool(cell.is_aligned), cell.style == "dim"] for cell in column.cells
        ],
        "values": [finite(value) for value in column.values],
    }
