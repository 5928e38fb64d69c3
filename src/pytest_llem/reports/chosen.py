"""Columns of figures that somebody asked for by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.energy.naming import QUALITY
from pytest_llem.reports.cells import Cell
from pytest_llem.reports.figures import figure, uncertainty_of, words_of
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    Unit,
    common_exponent,
    number,
    prefix,
    unit_of,
)
from pytest_llem.reports.table import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.reports.rows import Entry
    from pytest_llem.reports.view import View

_NUMBER = (True, False, False, True, False)
_AFTER_NARROWING = 100


def figure_column(name: str, entries: Sequence[Entry], view: View) -> Column:
    """The figure called *name* of each of *entries*, with its uncertainty where it has one."""
    unit = unit_of(name) if not name.startswith(QUALITY) else _recorded_unit(name, entries)
    values = [figure(entry.measured, name, entry.recorded) for entry in entries]
    exponent = common_exponent(values) if unit.scaled else 0
    cells = [
        _cell(name, entry, value, exponent, view)
        for entry, value in zip(entries, values, strict=True)
    ]
    of_a_pass = "/pass" if name.endswith("energy_j") else ""
    symbol = f"{prefix(exponent, view.signs)}{unit.symbol}{of_a_pass}" if unit.symbol else ""
    if not view.unicode:
        symbol = symbol.replace("°", "")
    return Column(name, (words_of(name), symbol), cells, _NUMBER, values=values)


def _recorded_unit(name: str, entries: Sequence[Entry]) -> Unit:
    """The unit that tests recorded a figure in, if they agree."""
    found = {one.unit for entry in entries for one in entry.recorded if one.metric == name}
    return Unit(found.pop() if len(found) == 1 else "", scaled=False)


def as_asked(columns: Iterable[Column]) -> list[Column]:
    """*columns* such that the rightmost is the first to leave where there is too little room."""
    found = list(columns)
    return [
        replace(column, leaves=_AFTER_NARROWING + len(found) - place)
        for place, column in enumerate(found)
    ]


def _cell(name: str, entry: Entry, value: float | None, exponent: int, view: View) -> Cell:
    if value is None:
        return Cell((view.signs.unknown,))
    uncertainty = uncertainty_of(entry.measured, name, entry.recorded)
    known = uncertainty is not None
    written = number(
        value, uncertainty, signs=view.signs, exponent=exponent, with_uncertainty=known
    )
    mark = ESTIMATED_MARK if is_estimate(entry.measured, name) else ""
    between = f" {view.signs.plus_minus} " if known else ""
    of_energy = not name.startswith(QUALITY)
    valid = not of_energy or (entry.measured is not None and entry.measured.valid)
    parts = (mark + written.whole, written.fraction, between, *written[2:])
    return Cell(parts, "" if valid else "dim")
