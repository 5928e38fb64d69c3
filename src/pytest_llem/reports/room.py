"""What a summary table that is too wide does without, in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.cells import Cell, Cells
from pytest_llem.reports.table import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

FOR_ROOM = (
    "narrow prefill",
    "narrow decode",
    "narrow verdict",
    "narrow beside",
    "times reference",
    "prefill",
    "decode",
    "beside",
    "tokens/s",
    "narrow energy",
    "change",
    "energy",
)
"""What is done in turn where a table is too wide: a column loses its uncertainty or
qualifier (``narrow``), or is left out. The verdict stays."""
_NUMBER = (True, False, False, True, False, False)
"""Which parts of a number's cell stand right: whole, fraction, sign, whole, fraction, rest."""


def turn(name: str) -> int:
    """When the column or qualifier called *name* goes."""
    return FOR_ROOM.index(name)


def narrowing(
    name: str,
    title: tuple[str, str],
    cells: Sequence[Cell],
    values: Sequence[float | None],
    kind: str = "",
) -> Column:
    """A column of numbers that can do without their uncertainties; of a kind if there are more."""
    leaves = turn(kind or name)
    narrows = turn(f"narrow {kind or name}")

    def bare(number: int) -> Cell:
        cell = cells[number]
        return cell._replace(parts=cell.parts[:2] + cell.parts[5:])

    def short() -> Column:
        fewer = Cells(len(cells), bare)
        return Column(name, title, fewer, (True, False, False), leaves=leaves)

    return Column(
        name, title, cells, _NUMBER, leaves=leaves, short=short, narrows=narrows, values=values
    )
