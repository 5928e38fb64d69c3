"""One call of ``parametrize``, taken apart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem import _compat
from pytest_llem.config.leaves import FIELDS, SECTIONS, Leaf, leaves_of
from pytest_llem.plan.tokens import raw_token, token_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Table:
    """Names and rows; a row is a ``pytest.param``."""

    names: list[str]
    rows: list[Any]

    @classmethod
    def of(cls, argnames: str | Sequence[str], argvalues: Iterable[Any]) -> Table | None:
        """The table of ``parametrize(argnames, argvalues)``, or ``None`` if they do not match."""
        names, single = _compat.parse_argnames(argnames)
        rows = [_compat.parameter_set(row, single=single) for row in argvalues]
        if any(not _fits(row.values, len(names)) for row in rows):
            return None
        return cls(names, [row._replace(values=tuple(row.values)) for row in rows])

    def column(self, position: int) -> list[Any]:
        """Values of one argument."""
        return [row.values[position] for row in self.rows]

    def named_rows(self) -> list[Any]:
        """Rows with ids for values that pytest would only number, where they have none."""
        if FIELDS.isdisjoint(self.names):
            return self.rows
        return [self._named(row, index) for index, row in enumerate(self.rows)]

    def _named(self, row: Any, index: int) -> Any:
        if row.id is not None or all(map(_plain, self.names, row.values)):
            return row
        tokens = [
            raw_token(value, name, index)
            if _plain(name, value)
            else nested_token(name, value, index)
            for name, value in zip(self.names, row.values, strict=True)
        ]
        return pytest.param(*row.values, marks=row.marks, id="-".join(tokens))


def nested_token(name: str, value: Any, index: int) -> str:
    """A token for a value that is nested: a section's options, or a list."""
    found = leaves_of(name, value)
    leaves = [leaf for leaf in found if isinstance(leaf, Leaf)]
    if len(leaves) < len(found):
        return raw_token(value, name, index)
    if name in SECTIONS:
        return ",".join(f"{leaf.path}={token_of(leaf.plain)}" for leaf in leaves) or name
    return f"{name}={token_of(leaves[0].plain)}"


def _plain(name: str, value: Any) -> bool:
    return name not in FIELDS or value is None or isinstance(value, str | int | float)


def _fits(values: object, count: int) -> bool:
    return isinstance(values, Collection) and len(values) == count
