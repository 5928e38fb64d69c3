"""A table that fits: columns aligned at the decimal point, narrowed, then left out in order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.ink import Line, Span, Style
from pytest_llem.reports.text import Glyphs, cut_end, cut_middle, display_width, is_narrow, pad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    _Maker = Callable[[], "Column"]

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
    """A column as wide as it will be."""

    column: Column
    written: Callable[[], Iterable[str]]
    """Its texts, each with the gap before it: made only for a column that stays."""
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
    cells = [Span(pad(label, first_width)) for label in first]
    rows = list(zip(cells, *map(_spans, blocks), strict=True))
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
    kind = _NARROW if is_narrow("".join([*column.title, *plain])) else _ANY
    parts = _parts(column)
    widths = [max(map(kind.width, part)) for part in parts]
    is_aligned = sum(widths) <= max(map(kind.width, plain), default=0) + MOST_ALIGNMENT
    alone = _alone(column, plain) if is_aligned else plain
    width = max([sum(widths) * is_aligned, *map(kind.width, [*column.title, *alone])])

    def written() -> Iterable[str]:
        texts = _below_each_other(column, plain, parts, widths, kind) if is_aligned else plain
        return [GAP + text for text in kind.justified(texts, width, column.right[0])]

    return _Block(column, written, len(GAP) + width)


class _Kind(NamedTuple):
    """How to measure and justify some texts."""

    width: Callable[[str], int]
    justified: Callable[[Iterable[str], int, bool], list[str]]


def _justified(texts: Iterable[str], width: int, right: bool) -> list[str]:
    if right:
        return [text.rjust(width) for text in texts]
    return [text.ljust(width) for text in texts]


def _padded(texts: Iterable[str], width: int, right: bool) -> list[str]:
    return [pad(text, width, right=right) for text in texts]


_NARROW = _Kind(len, _justified)
"""Much faster, for texts of which every character takes one column."""
_ANY = _Kind(display_width, _padded)


def _parts(column: Column) -> list[tuple[str, ...]]:
    """The first parts of all cells that line up, then their second ones, and so on."""
    return list(
        zip_longest(*(cell.parts for cell in column.cells if cell.is_aligned), fillvalue="")
    )


def _alone(column: Column, plain: Iterable[str]) -> list[str]:
    """Those of the *plain* texts that line up with no other."""
    pairs = zip(column.cells, plain, strict=True)
    return [text for cell, text in pairs if not cell.is_aligned]


def _below_each_other(
    column: Column,
    plain: Sequence[str],
    parts: list[tuple[str, ...]],
    widths: list[int],
    kind: _Kind,
) -> list[str]:
    """The texts of all cells, with the parts of those that line up below each other."""
    justified = map(kind.justified, parts, widths, column.right)
    lines = map("".join, zip(*justified, strict=True))
    return [
        next(lines) if cell.is_aligned else text
        for cell, text in zip(column.cells, plain, strict=True)
    ]


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


def _spans(block: _Block) -> Iterable[Span]:
    return map(Span, block.written(), [cell.style for cell in block.column.cells])
