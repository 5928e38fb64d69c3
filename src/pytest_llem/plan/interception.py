"""Follows how one test function is parametrized, and replaces what options override."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem import _compat
from pytest_llem.config.leaves import FIELDS
from pytest_llem.plan.replacement import replaced_rows
from pytest_llem.plan.table import Table
from pytest_llem.plan.tokens import raw_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

    from pytest_llem.plan.overrides import Overrides

_POSITIONAL = ("indirect", "ids", "scope")


@dataclass(slots=True)
class Interception:
    """Stands in for ``metafunc.parametrize`` while the tests of one function are generated."""

    metafunc: pytest.Metafunc
    overrides: Overrides
    keep_model: bool
    """Whether ``model`` is this plugin's fixture, which stays when its name is parametrized."""
    after: Callable[[], None]
    """Called after each parametrization."""
    names: set[str] = field(default_factory=set)
    """Everything that is parametrized."""
    empty: set[str] = field(default_factory=set)
    """What is parametrized with no values at all."""
    own_tokens: dict[str, list[str]] = field(default_factory=dict)
    """For each argument of the test's own, the token of each row."""
    given: set[str] = field(default_factory=set)
    """Arguments that the plugin gives itself, on behalf of a grid or an option."""
    replaced: bool = False
    """Whether options replaced a parametrized value."""
    _original: Callable[..., None] = field(init=False)

    def __post_init__(self) -> None:
        self._original = _compat.intercept_parametrize(self.metafunc, self.parametrize)

    def parametrize(
        self, argnames: str | Sequence[str], argvalues: Iterable[Any], *args: Any, **kwargs: Any
    ) -> None:
        """Parametrize, with overridden values replaced before ids are made."""
        kwargs |= zip(_POSITIONAL, args, strict=False)
        argvalues = list(argvalues)
        table = Table.of(argnames, argvalues)
        if table is None:
            self._original(argnames, argvalues, **kwargs)  # tells what is wrong
            return
        rows = replaced_rows(table, self.overrides)
        if rows is not None:
            self.replaced = True
            table = Table(table.names, rows)
            kwargs = _without_ids(kwargs)
        kwargs["indirect"] = self._indirect(table.names, kwargs.get("indirect", False))
        self._apply(table, kwargs)

    def add(self, names: list[str], params: list[Any]) -> None:
        """Add a parametrization that the plugin made itself."""
        self._original(names, params)
        self.given.update(names)

    def _apply(self, table: Table, kwargs: dict[str, Any]) -> None:
        before = _first_id(self.metafunc)
        rows = table.rows if kwargs.get("ids") else table.named_rows()
        self._original(table.names, rows, **kwargs)
        self.names.update(table.names)
        if not rows:
            self.empty.update(table.names)
        for position, name in enumerate(table.names):
            if name not in FIELDS and not name.startswith("_"):
                self.own_tokens[name] = self._tokens(table, position, kwargs, before)
        self.after()

    def _tokens(
        self, table: Table, position: int, kwargs: dict[str, Any], before: str
    ) -> list[str]:
        explicit = kwargs.get("ids") or any(row.id is not None for row in table.rows)
        if len(table.names) > 1 or not explicit:
            return raw_tokens(table.column(position), table.names[position])
        calls = _compat.calls_of(self.metafunc)[: len(table.rows)]
        return [call.id.removeprefix(before and f"{before}-") for call in calls]

    def _indirect(self, names: list[str], given: bool | Sequence[str]) -> bool | Sequence[str]:
        if not self.keep_model or "model" not in names or given is True:
            return given
        return [*(given or ()), *({"model"} - set(given or ()))]


def _first_id(metafunc: pytest.Metafunc) -> str:
    calls = _compat.calls_of(metafunc)
    return calls[0].id if calls else ""


def _without_ids(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords less the ids of values that are gone; private ones carry remembered ids."""
    return {
        name: value
        for name, value in kwargs.items()
        if not name.startswith("_") and (name != "ids" or callable(value))
    }
