"""The rows of a grid: every combination of its axes, engine options only with their engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS
from pytest_llem.config.leaves import SECTIONS, Leaf, leaf, unknown_path
from pytest_llem.config.problems import Problem
from pytest_llem.plan.grid import values_of_axis
from pytest_llem.plan.tokens import distinct, raw_token, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

OF_ALL = frozenset(SECTIONS) - frozenset(ENGINE_SECTIONS)
"""Sections that are not one engine's."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One value of an axis."""

    path: str
    item: Leaf | Problem
    token: str


@dataclass(slots=True, eq=False)
class Row:
    """One combination of values."""

    items: Mapping[str, Leaf | Problem]
    """The value of each axis, by path."""
    id: str
    """Tokens of the combination joined by dashes; empty if there is no axis."""
    engine: str | None = None
    """The engine whose options are among the axes, ``None`` if there are none."""


@dataclass(slots=True)
class Axes:
    """What a grid crosses, and what it holds fixed."""

    common: dict[str, list[Choice]] = field(default_factory=dict)
    of_engine: dict[str, dict[str, list[Choice]]] = field(default_factory=dict)
    fixed: dict[str, Leaf] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def axes_of(given: Mapping[str, Any], replaced: Mapping[str, Leaf]) -> Axes:
    """Axes of a grid as written, those that are *replaced* with their one new value."""
    axes = Axes()
    for path, raw in given.items():
        problem, values = _read(path, raw)
        if problem is not None:
            axes.problems.append(problem)
        elif values is None:
            _hold(axes, path, raw, replaced)
        else:
            _cross(axes, path, _choices(path, values, replaced))
    return axes


def _read(path: str, raw: Any) -> tuple[Problem | None, list[Any] | None]:
    problem = unknown_path(path, raw)
    if problem is not None:
        return problem, None
    try:
        return None, values_of_axis(path, raw)
    except ValueError as error:
        return Problem(path, raw, str(error)), None


def _hold(axes: Axes, path: str, raw: Any, replaced: Mapping[str, Leaf]) -> None:
    found = replaced.get(path) or leaf(path, raw)
    if isinstance(found, Leaf):
        axes.fixed[path] = found
    else:
        axes.problems.append(found)


def _cross(axes: Axes, path: str, choices: list[Choice]) -> None:
    section = path.partition(".")[0]
    if "." in path and section not in OF_ALL:
        axes.of_engine.setdefault(section, {})[path] = choices
    else:
        axes.common[path] = choices


def _choices(path: str, values: Sequence[Any], replaced: Mapping[str, Leaf]) -> list[Choice]:
    leaves = [replaced[path]] if path in replaced else [leaf(path, value) for value in values]
    tokens = distinct([_token(path, found, index) for index, found in enumerate(leaves)])
    prefix = f"{path}=" if "." in path else ""
    return [
        Choice(path, found, prefix + token) for found, token in zip(leaves, tokens, strict=True)
    ]


def _token(path: str, found: Leaf | Problem, index: int) -> str:
    return token_of(found.plain) if isinstance(found, Leaf) else raw_token(found.value, path, index)


def rows_of(axes: Axes, backend: str | None, wanted: Callable[[str], bool] | None) -> list[Row]:
    """Every combination of *axes*, in their order, engine options last.

    *backend* is the engine that is fixed, or ``None`` if it varies outside of
    the grid; then there are rows for each engine that has axes, and rows for all
    others, which name no engine. *wanted* tells whether an id, or the
    beginning of one, is still of interest; ``None`` wants all.
    """
    partial = _extended([Row({}, "")], axes.common.values(), wanted)
    rows: list[Row] = []
    for row in partial:
        own = _backend_of(row) if "backend" in axes.common else backend
        engines = [None, *axes.of_engine] if own is None else [own]
        for engine in engines:
            crossed = axes.of_engine.get(engine or "", {})
            tagged = Row(row.items, row.id, engine if crossed else None)
            rows += _extended([tagged], crossed.values(), wanted)
    return rows


def _backend_of(row: Row) -> str:
    return str(getattr(row.items["backend"], "value", ""))


def _extended(
    rows: list[Row], axes: Iterable[list[Choice]], wanted: Callable[[str], bool] | None
) -> list[Row]:
    for choices in axes:
        rows = [
            Row({**row.items, choice.path: choice.item}, joined, row.engine)
            for row in rows
            for choice in choices
            for joined in (_joined(row.id, choice.token),)
            if wanted is None or wanted(joined)
        ]
    return rows


def _joined(left: str, right: str) -> str:
    return f"{left}-{right}" if left else right
