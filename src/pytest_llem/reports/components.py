"""Components as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.components.component import Listed


def component_lines(listing: Sequence[Listed]) -> list[str]:
    """A block for each kind: a line for each component, and beneath it what is wrong with it."""
    lines = []
    kinds = dict.fromkeys(one.component.kind for one in listing)
    for kind in kinds:
        lines += [kind, *_rows([one for one in listing if one.component.kind == kind])]
    return lines


def component_json(listing: Sequence[Listed]) -> list[dict[str, Any]]:
    """A record for each component."""
    return [
        {
            "kind": one.component.kind,
            "name": one.component.name,
            "distribution": one.component.distribution,
            "version": one.component.version,
            "reference": one.component.reference,
            "builtin": one.component.builtin,
            "state": one.state,
            "detail": one.detail or None,
        }
        for one in listing
    ]


def _rows(listing: Sequence[Listed]) -> Iterator[str]:
    cells = [
        (
            one.component.name,
            one.state,
            "built in" if one.component.builtin else one.component.owner,
            one.component.reference,
        )
        for one in listing
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for one, row in zip(listing, cells, strict=True):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(padded).rstrip()
        if one.detail:
            yield f"    {one.detail}"
