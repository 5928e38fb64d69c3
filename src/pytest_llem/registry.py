"""One registry for every kind of component: engines, meters, workloads.

Built-ins are ``"module:attribute"`` strings and third parties are entry points
of the group ``pytest_llem.<kind>``; both are listed without importing anything
and loaded on first use.
"""

from __future__ import annotations

import difflib
import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Registry(Generic[T]):
    """Components of one kind by name."""

    def __init__(self, kind: str, builtins: Mapping[str, str]) -> None:
        self.kind = kind
        self._references = dict(builtins)
        self._loaded: dict[str, T] = {}
        self._discovered = False

    def names(self) -> list[str]:
        """All known names, sorted, without importing any component."""
        self._discover()
        return sorted(self._references)

    def load(self, name: str) -> T:
        """The component called *name*, imported on first use.

        Raises:
            ConfigError: no component has this name.
        """
        if name not in self._loaded:
            self._loaded[name] = resolve(self._reference(name))
        return self._loaded[name]

    def _reference(self, name: str) -> str:
        if name in self._references:
            return self._references[name]
        self._discover()
        if name not in self._references:
            raise ConfigError(
                f"no {self.kind[:-1]} is called {name!r}. {suggest(name, self.names())}"
            )
        return self._references[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        for entry in metadata.entry_points(group=f"pytest_llem.{self.kind}"):
            if entry.name in self._references:
                owner = entry.dist.name if entry.dist else entry.value
                raise ConfigError(
                    f"{owner} adds another of the {self.kind} called {entry.name!r}, which already exists "
                    f"({self._references[entry.name]}). Uninstall one of them."
                )
            self._references[entry.name] = entry.value


def resolve(reference: str) -> Any:
    """The object that a ``"module:attribute"`` string names."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def suggest(name: str, known: list[str]) -> str:
    """A sentence with the nearest known name, else with all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}."
