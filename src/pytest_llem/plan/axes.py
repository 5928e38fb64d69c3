"""The axes of a grid: what is crossed, with each value checked and given its part of an id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS
from pytest_llem.config.leaves import SECTIONS, Leaf, is_group, leaf, leaves_of, unknown_path
from pytest_llem.config.problems import Problem
from pytest_llem.plan.grid import values_of_axis
from pytest_llem.plan.tokens import distinct, raw_token, token_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Items = Mapping[str, Leaf | Problem]

OF_ALL = frozenset(SECTIONS) - frozenset(ENGINE_SECTIONS)
"""Sections that are not one engine's."""
NAME = "name"
"""Key of a mapping of several fields that names it in ids."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One value of an axis."""

    items: Items
    """What it sets, by path: one field, or several of a group."""
    token: str


@dataclass(slots=True)
class Axes:
    """What a grid crosses, and what it holds fixed."""

    common: dict[str, list[Choice]] = field(default_factory=dict)
    """By path, or by the name of a group."""
    of_engine: dict[str, dict[str, list[Choice]]] = field(default_factory=dict)
    """Options of one engine, by engine and path."""
    fixed: dict[str, Leaf] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """Fields and sections that the axes set."""
        crossed = [
            *self.common.values(),
            *(c for own in self.of_engine.values() for c in own.values()),
        ]
        paths = {path for choices in crossed for choice in choices for path in choice.items}
        return {path.partition(".")[0] for path in paths | self.fixed.keys()}


def axes_of(given: Mapping[str, Any], replaced: Mapping[str, Leaf]) -> Axes:
    """Axes of a grid as written, those that are *replaced* with their one new value."""
    axes = Axes()
    for path, raw in given.items():
        if is_group(path, raw):
            _cross_group(axes, path, raw, replaced)
            continue
        problem, values = _read(path, raw)
        if problem is not None:
            axes.problems.append(problem)
        elif values is None:
            _hold(axes, path, raw, replaced)
        else:
            _cross(axes, path, _choices(path, values, replaced))
    return axes


def items_of(given: Mapping[str, Any]) -> dict[str, Leaf | Problem]:
    """What a mapping of fields sets, by path; its name is passed over."""
    found = (one for name, raw in given.items() if name != NAME for one in leaves_of(name, raw))
    return {one.path: one for one in found}


def token_of_items(items: Items, index: int, *, named: bool) -> str:
    """The part of an id that stands for the values of several fields, *named* or not."""
    return "+".join(
        (f"{path}=" if named else _prefix(path)) + _token(path, one, index)
        for path, one in items.items()
    )


def name_of(given: Mapping[str, Any]) -> str | None:
    """What a mapping of several fields is called in ids, if it says so."""
    return token_of(given[NAME]) if isinstance(given.get(NAME), str) else None


def _cross_group(
    axes: Axes, name: str, given: Sequence[Mapping[str, Any]], replaced: Mapping[str, Leaf]
) -> None:
    found: dict[tuple[Any, ...], tuple[str, Items]] = {}
    for index, one in enumerate(given):
        items = items_of(one)
        axes.problems += [item for item in items.values() if isinstance(item, Problem)]
        if not items:
            axes.problems.append(Problem(f"{name}[{index}]", one, "sets no field."))
        items |= {path: replaced[path] for path in items.keys() & replaced.keys()}
        key = tuple(sorted((path, getattr(item, "text", "")) for path, item in items.items()))
        token = name_of(one) or token_of_items(items, index, named=False)
        found.setdefault(key, (token, items))
    tokens = distinct([token for token, _ in found.values()])
    axes.common[name] = [
        Choice(items, token) for (_, items), token in zip(found.values(), tokens, strict=True)
    ]


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
    return [
        Choice({path: found}, _prefix(path) + token)
        for found, token in zip(leaves, tokens, strict=True)
    ]


def _prefix(path: str) -> str:
    return f"{path}=" if "." in path else ""


def _token(path: str, found: Leaf | Problem, index: int) -> str:
    return token_of(found.plain) if isinstance(found, Leaf) else raw_token(found.value, path, index)
