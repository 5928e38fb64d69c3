"""A table that fits: columns aligned at the decimal point, narrowed, then left out in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.ink import Line, Span, Style
from pytest_llem.reports.text import Glyphs, cut_end, cut_middle, display_width, is_narrow, pad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    _Maker = Callable[[], "Column"]
    _Measure = Callable[[str], int]
    _Justify = Callable[[str, int, bool], str]

GAP = "  "
MOST_ALIGNMENT = 4
"""Columns that alignment may cost over the widest cell before cells are only justified."""


class Cell(NamedTuple):
    """One cell in the parts that its column aligns."""

    parts: tuple[str, ...]
    style: Style = ""
    is_aligned: bool = True
    """Whether it lines up with the column's other cells; else it is only justified."""

    @property
    def text(self) -> str:
        return "".join(self.parts)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of finished texts."""

    name: str
    """What it is called where it is left out; no two of a table are called the same."""
    title: tuple[str, str]
    """Both lines of its heading."""
    cells: Sequence[Cell]
    right: tuple[bool, ...]
    """Of each part of a cell, whether it is justified to the right."""
    leaves: int | None = None
    """Its turn to be left out where the table is too wide; ``None`` stays."""
    short: Callable[[], Column] | None = None
    """Makes a narrower form, to be used before it is left out."""
    narrows: int = 0
    """The turn of its narrower form, in the same order as ``leaves``."""
    values: Sequence[float | None] = ()
    """What its cells say as numbers, to sort by; empty if it says none."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The first column, which takes the width that the others leave."""

    title: str
    natural: int
    """Columns that all labels take in full."""
    at: Callable[[int], Sequence[str]]
    """The labels in at most so many columns."""


class Table(NamedTuple):
    """A table in lines."""

    head: list[Line]
    rows: list[Line]
    left_out: list[str]
    """Names of the columns that had no room, in the order they were left out."""
    narrowed: list[str]
    """Names of those that had room in their narrower form only."""


class _Block(NamedTuple):
    """A column written out, every text with the gap before it."""

    column: Column
    texts: list[str]
    width: int


def laid_out(labels: Labels, columns: Sequence[Column], *, width: int, signs: Glyphs) -> Table:
    """The table in at most *width* columns.

    Where it is too wide, columns take their narrower form or leave, in the order
    of ``narrows`` and ``leaves``. What still does not fit is for the caller to cut.
    """
    least = min(labels.natural, max(width // 5, 16))
    blocks, left_out, narrowed = _fitted([_block(column) for column in columns], width - least)
    room = max(width - _taken(blocks), 1)
    first = [cut_middle(label, room, signs.ellipsis) for label in labels.at(room)]
    title = cut_end(labels.title, room, signs.ellipsis)
    first_width = max(map(display_width, [title, *first]))
    head = _head(title, first_width, blocks, signs)
    rows = [_row(pad(label, first_width), blocks, index) for index, label in enumerate(first)]
    return Table(head, rows, left_out, narrowed)


def _fitted(blocks: list[_Block], width: int) -> tuple[list[_Block], list[str], list[str]]:
    left_out: list[str] = []
    narrowed: list[str] = []
    for _, wide, narrow in sorted(_steps(blocks), key=lambda step: step[0]):
        if _taken(blocks) <= width:
            break
        blocks = _instead(blocks, wide, narrow)
        (left_out if narrow is None else narrowed).append(wide.name)
    return blocks, left_out, narrowed


def _steps(blocks: list[_Block]) -> Iterator[tuple[int, Column, _Maker | None]]:
    """What may be done for room, as turn, column, and what comes in its place."""
    for column in (block.column for block in blocks):
        if column.short is not None:
            yield column.narrows, column, column.short
        if column.leaves is not None:
            yield column.leaves, column, None


def _instead(blocks: list[_Block], wide: Column, narrow: _Maker | None) -> list[_Block]:
    changed = []
    for block in blocks:
        if block.column.name != wide.name:
            changed.append(block)
        elif narrow is not None:
            changed.append(_block(narrow()))
    return changed


def _taken(blocks: list[_Block]) -> int:
    return sum(block.width for block in blocks)


def _block(column: Column) -> _Block:
    plain = [cell.text for cell in column.cells]
    measure, justify = _measures("".join([*column.title, *plain]))
    texts = _aligned(column, plain, measure, justify)
    width = max(map(measure, [*column.title, *texts]))
    right = column.right[0]
    padded = [GAP + justify(text, width, right) for text in texts]
    return _Block(column, padded, len(GAP) + width)


def _measures(text: str) -> tuple[_Measure, _Justify]:
    """How to measure and justify what *text* is made of: faster where all of it is narrow."""
    return (len, _justified) if is_narrow(text) else (display_width, _padded)


def _justified(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _padded(text: str, width: int, right: bool) -> str:
    return pad(text, width, right=right)


def _aligned(column: Column, plain: list[str], measure: _Measure, justify: _Justify) -> list[str]:
    """The texts of its cells, which are *plain*, with their parts below each other."""
    widths = [_part_width(column, index, measure) for index in range(len(column.right))]
    if sum(widths) > max(map(measure, plain), default=0) + MOST_ALIGNMENT:
        return plain
    places = list(zip(widths, column.right, strict=True))
    return [
        _in_parts(cell, places, justify) if cell.is_aligned else text
        for cell, text in zip(column.cells, plain, strict=True)
    ]


def _part_width(column: Column, index: int, measure: _Measure) -> int:
    parts = {
        cell.parts[index] for cell in column.cells if cell.is_aligned and index < len(cell.parts)
    }
    return max(map(measure, parts), default=0)


def _in_parts(cell: Cell, places: list[tuple[int, bool]], justify: _Justify) -> str:
    parts = cell.parts + ("",) * (len(places) - len(cell.parts))
    return "".join(
        [justify(part, width, right) for part, (width, right) in zip(parts, places, strict=True)]
    )


def _head(title: str, first_width: int, blocks: list[_Block], signs: Glyphs) -> list[Line]:
    lines = []
    for index in range(2):
        first = pad(title if index == 1 else "", first_width)
        others = [
            pad(block.column.title[index], block.width, right=True)
            if block.column.right[0]
            else GAP + pad(block.column.title[index], block.width - len(GAP))
            for block in blocks
        ]
        lines.append((Span("".join([first, *others]), "bold"),))
    rule = signs.rule * (first_width + _taken(blocks))
    return [*lines, (Span(rule, "dim"),)]


def _row(label: str, blocks: list[_Block], index: int) -> Line:
    cells = [Span(block.texts[index], block.column.cells[index].style) for block in blocks]
    return (Span(label), *cells)
