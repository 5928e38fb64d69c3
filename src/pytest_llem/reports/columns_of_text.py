"""Rows of texts under each other."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_llem.reports.text import display_width, pad

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def in_columns(
    rows: Sequence[Sequence[str]], right: Collection[int] = (), indent: str = ""
) -> list[str]:
    """Lines in which the cells of a column begin, or for those in *right* end, at one place."""
    columns = zip_longest(*rows, fillvalue="")
    widths = [max(map(display_width, column)) for column in columns]
    return [
        indent
        + "  ".join(
            pad(cell, width, right=place in right)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]
