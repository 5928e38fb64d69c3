"""Parametrized values that options override, replaced before ids are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from pytest_llem.config.leaves import SECTIONS
from pytest_llem.plan.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from pytest_llem.plan.overrides import Overrides
    from pytest_llem.plan.table import Table


def replaced_rows(table: Table, overrides: Overrides) -> list[Any] | None:
    """Rows with the effective values, those that became equal only once.

    ``None`` if nothing in the table is overridden. Ids are dropped, since they
    stood for other values, and so are the marks of a row that has no value left.
    """
    replaced = [name for name in table.names if _touches(overrides, name)]
    if not replaced:
        return None
    whole = len(replaced) == len(table.names) and not any(name in SECTIONS for name in replaced)
    rows: dict[tuple[Hashable, ...], Any] = {}
    for row in table.rows:
        for values in _effective(table.names, row.values, overrides):
            key = tuple(map(_key, values))
            rows.setdefault(key, pytest.param(*values, marks=() if whole else row.marks))
    return list(rows.values())


def _touches(overrides: Overrides, name: str) -> bool:
    if name == "backend" and overrides.backends:
        return True
    section = f"{name}." if name in SECTIONS else None
    return any(
        path == name or (section is not None and path.startswith(section))
        for path in overrides.leaves
    )


def _effective(
    names: list[str], values: Iterable[Any], overrides: Overrides
) -> Iterable[tuple[Any, ...]]:
    pairs = list(zip(names, values, strict=True))
    for backend in overrides.backends if "backend" in names and overrides.backends else (None,):
        yield tuple(
            backend if name == "backend" and backend else _replaced(name, value, overrides)
            for name, value in pairs
        )


def _replaced(name: str, value: Any, overrides: Overrides) -> Any:
    if name in overrides.leaves:
        return overrides.leaves[name].value
    own = {leaf.name: leaf.value for leaf in overrides.leaves.values() if leaf.section == name}
    if name in SECTIONS and isinstance(value, BaseModel):
        return value.model_copy(update=own)
    return {**value, **own} if name in SECTIONS and isinstance(value, Mapping) else value


def _key(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        try:
            return type(value), token_of(value)
        except TypeError:  # not JSON
            return id(value)
    return type(value), value
