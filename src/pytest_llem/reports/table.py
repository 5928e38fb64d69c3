"""A table that fits: columns aligned at the decimal point, narrowed, then left out in order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.ink import Line, Span
from pytest_llem.reports.text import Glyphs, cut_end, cut_middle, display_width, is_narrow, pad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_llem.reports.cells import Cell

    _Maker = Callable[[], "Column"]

GAP = "  "
MOST_ALIGNMENT = 4
"""Columns that alignment may cost over the widest cell before cells are only justified."""
SOME = 50
"""So many cells tell about how wide a column is."""


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


class _Fitted(NamedTuple):
    """Columns with room, and the names of those without."""

    blocks: list[_Block]
    left_out: list[str]
    narrowed: list[str]


def laid_out(labels: Labels, columns: Sequence[Column], *, width: int, signs: Glyphs) -> Table:
    """The table in at most *width* columns.

    Where it is too wide, columns take their narrower form or leave, in the order
    of ``narrows`` and ``leaves``. What still does not fit is for the caller to cut.
    """
    least = min(labels.natural, max(width // 5, 16))
    blocks, left_out, narrowed = _chosen(columns, width - least)
    room = max(width - _taken(blocks), 1)
    first = [cut_middle(label, room, signs.ellipsis) for label in labels.at(room)]
    title = cut_end(labels.title, room, signs.ellipsis)
    kind = _kind_of([title, *first])
    first_width = max(map(kind.width, [title, *first]))
    head = _head(title, first_width, blocks, signs)
    rows = _rows(kind.justified(first, first_width, False), blocks)
    return Table(head, rows, left_out, narrowed)


def _chosen(columns: Sequence[Column], width: int) -> _Fitted:
    """The columns that have room; of those that certainly have none, few cells are made."""
    surely = _fitted(columns, width, _at_least)
    found = _fitted([block.column for block in surely.blocks], width, _block)
    return _Fitted(found.blocks, surely.left_out + found.left_out, surely.narrowed + found.narrowed)


def _fitted(columns: Sequence[Column], width: int, build: Callable[[Column], _Block]) -> _Fitted:
    blocks = list(map(build, columns))
    found = _Fitted(blocks, [], [])
    for _, wide, narrow in sorted(_steps(blocks), key=lambda step: step[0]):
        if _taken(blocks) <= width:
            break
        blocks = list(_instead(blocks, wide, narrow, build))
        (found.left_out if narrow is None else found.narrowed).append(wide.name)
    return found._replace(blocks=blocks)


def _steps(blocks: list[_Block]) -> Iterator[tuple[int, Column, _Maker | None]]:
    """What may be done for room, as turn, column, and what comes in its place."""
    for column in (block.column for block in blocks):
        if column.short is not None:
            yield column.narrows, column, column.short
        if column.leaves is not None:
            yield column.leaves, column, None


def _instead(
    blocks: list[_Block], wide: Column, narrow: _Maker | None, build: Callable[[Column], _Block]
) -> Iterator[_Block]:
    for block in blocks:
        if block.column.name != wide.name:
            yield block
        elif narrow is not None:
            yield build(narrow())


def _taken(blocks: list[_Block]) -> int:
    return sum(block.width for block in blocks)


def _at_least(column: Column) -> _Block:
    """A column that is no wider than it has to be for a few of its cells."""
    some = column.cells[:: max(len(column.cells) // SOME, 1)]
    texts = [*column.title, *(cell.text for cell in some)]
    return _Block(column, tuple, len(GAP) + max(map(display_width, texts)))


def _block(column: Column) -> _Block:
    plain = ["".join(cell.parts) for cell in column.cells]
    kind = _kind_of([*column.title, *plain])
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


def _kind_of(texts: Iterable[str]) -> _Kind:
    return _NARROW if is_narrow("".join(texts)) else _ANY


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


def _rows(labels: Iterable[str], blocks: Sequence[_Block]) -> list[Line]:
    """The lines of the table; neighbours without any style are one piece of them."""
    plain: list[Iterable[str]] = [labels]
    pieces: list[Iterable[Span]] = []
    for block in blocks:
        styles = [cell.style for cell in block.column.cells]
        if any(styles):
            pieces += [*_joined(plain), map(Span, block.written(), styles)]
            plain = []
        else:
            plain.append(block.written())
    return list(zip(*pieces, *_joined(plain), strict=True))


def _joined(columns: Sequence[Iterable[str]]) -> Iterator[Iterable[Span]]:
    if columns:
        yield map(Span, map("".join, zip(*columns, strict=True)))
