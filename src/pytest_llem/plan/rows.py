"""The rows of a grid: every combination of its axes, engine options only with their engine."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_llem.config.leaves import Leaf
    from pytest_llem.config.problems import Problem
    from pytest_llem.plan.axes import Axes, Choice


@dataclass(slots=True, eq=False)
class Row:
    """One combination of values."""

    items: Mapping[str, Leaf | Problem]
    """The values of the axes, by path."""
    id: str
    """Tokens of the combination joined by dashes; empty if there is no axis."""
    engine: str | None = None
    """The engine whose options are among the axes, ``None`` if there are none."""


def rows_of(axes: Axes, backend: str | None, wanted: Callable[[str], bool] | None) -> list[Row]:
    """Every combination of *axes*, in their order, engine options last.

    *backend* is the engine that is fixed, or ``None`` if it varies outside of
    the grid; then there are rows for each engine that has axes, and rows for all
    others, which name no engine. *wanted* tells whether an id, or the
    beginning of one, is still of interest; ``None`` wants all.
    """
    rows: list[Row] = []
    for row in extended([Row({}, "")], axes.common.values(), wanted):
        own = _backend_of(row, backend)
        engines = [None, *axes.of_engine] if own is None else [own]
        for engine in engines:
            crossed = axes.of_engine.get(engine or "", {})
            tagged = Row(row.items, row.id, engine if crossed else None)
            rows += extended([tagged], crossed.values(), wanted)
    return rows


def each_row(axes: Axes, backend: str | None) -> Iterator[Row]:
    """The same rows, one at a time and never all at once."""
    for chosen in product(*axes.common.values()):
        row = _row(Row({}, ""), chosen)
        own = _backend_of(row, backend)
        for engine in [None, *axes.of_engine] if own is None else [own]:
            crossed = axes.of_engine.get(engine or "", {})
            for options in product(*crossed.values()):
                yield _row(Row(row.items, row.id, engine if crossed else None), options)


def _row(base: Row, chosen: Iterable[Choice]) -> Row:
    items = dict(base.items)
    tokens = [base.id] if base.id else []
    for choice in chosen:
        items.update(choice.items)
        tokens.append(choice.token)
    return Row(items, "-".join(tokens), base.engine)


def _backend_of(row: Row, otherwise: str | None) -> str | None:
    found = row.items.get("backend")
    return otherwise if found is None else str(getattr(found, "value", ""))


def extended(
    rows: list[Row], axes: Iterable[list[Choice]], wanted: Callable[[str], bool] | None
) -> list[Row]:
    """Each of *rows* with every combination of *axes*."""
    for choices in axes:
        rows = [
            Row({**row.items, **choice.items}, joined, row.engine)
            for row in rows
            for choice in choices
            for joined in (_joined(row.id, choice.token),)
            if wanted is None or wanted(joined)
        ]
    return rows


def _joined(left: str, right: str) -> str:
    return f"{left}-{right}" if left else right
