"""One registry for every kind of component: engines, meters, workloads, exporters.

Built-ins are ``"module:attribute"`` strings and third parties are entry points
of the group ``pytest_llem.<kind>``; both are listed without importing anything
and loaded on first use. What is wrong with a component is told when it is
loaded or listed, so that it disturbs nobody else.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_llem._version import __version__
from pytest_llem.components.component import Component, Listed
from pytest_llem.components.contract import check
from pytest_llem.components.loading import imported, resolve
from pytest_llem.components.offered import missing, offered
from pytest_llem.components.rules import current_rules
from pytest_llem.errors import ComponentError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.components.contract import Contract
    from pytest_llem.components.rules import Rules

__all__ = ["Registry", "resolve", "suggest"]
T = TypeVar("T")


class Registry(Generic[T]):
    """Components of one kind by name."""

    def __init__(
        self,
        kind: str,
        builtins: Mapping[str, str],
        contract: Contract | None = None,
        *,
        needs: Mapping[str, Sequence[str]] | None = None,
        rules: Callable[[], Rules] = current_rules,
    ) -> None:
        """A registry of the built-in components and of what is installed.

        Args:
            kind: plural, as in the entry points' group.
            builtins: ``module:attribute`` by name.
            contract: what a component is held against when it is loaded; ``None`` is nothing.
            needs: modules that a built-in one needs and that an extra brings, by name.
            rules: what may be used, asked for whenever something is loaded for the first time.
        """
        self.kind = kind
        self._contract = contract
        self._rules = rules
        self._builtins = [
            Component(
                kind, name, reference, version=__version__, needs=tuple((needs or {}).get(name, ()))
            )
            for name, reference in builtins.items()
        ]
        self._loaded: dict[str, T] = {}
        self._broken: dict[str, str] = {}
        self._offered: list[Component] | None = None

    @property
    def version(self) -> int | None:
        """Newest version of the kind's protocol that is understood; ``None`` if it has none."""
        return None if self._contract is None else self._contract.newest

    def names(self) -> list[str]:
        """All names that may be used, sorted, without importing any component.

        Raises:
            ConfigError: the lists of what may be used cannot be read.
        """
        rules = self._rules()
        return sorted({one.name for one in self._all() if rules.refusal(one) is None})

    def load(self, name: str) -> T:
        """The component called *name*, imported and checked on first use.

        Raises:
            ConfigError: no component has this name, or it may not be used.
            ComponentError: several have it, or it cannot be used, and whose it is.
        """
        if name not in self._loaded:
            component = self._one(name)
            try:
                found = imported(component)
                if self._contract is not None:
                    check(component, found, self._contract)
            except ComponentError as error:
                self._broken[name] = str(error)
                raise
            self._loaded[name] = found
        return self._loaded[name]

    def listing(self) -> list[Listed]:
        """Every component with what is known of it, by name, without importing any.

        Raises:
            ConfigError: the lists of what may be used cannot be read.
        """
        rules = self._rules()
        return [self._listed(one, rules) for one in sorted(self._all(), key=lambda one: one.name)]

    def _listed(self, component: Component, rules: Rules) -> Listed:
        refusal = rules.refusal(component)
        if refusal is not None:
            return Listed(component, "denied", refusal)
        rivals = [one for one in self._called(component.name, rules) if one is not component]
        if rivals:
            owners = " and ".join(f"{one.owner} ({one.reference})" for one in rivals)
            return Listed(component, "collides", f"with that of {owners}")
        if component.name in self._broken:
            return Listed(component, "broken", self._broken[component.name])
        if lacking := missing(component):  # adapters import their engine when it is used
            return Listed(component, "incomplete", f"lacks {', '.join(lacking)}")
        return Listed(component, "loaded" if component.name in self._loaded else "available")

    def _one(self, name: str) -> Component:
        rules = self._rules()
        found = self._called(name, rules)
        if len(found) > 1:
            raise ComponentError(_collision(self.kind, name, found))
        if found:
            return found[0]
        for component in self._all():
            if component.name == name:
                raise ConfigError(
                    f"{component} is {rules.refusal(component)} ([tool.llem.components] in "
                    "pyproject.toml, or LLEM_COMPONENTS_ALLOW and LLEM_COMPONENTS_DENY)."
                )
        raise ConfigError(f"no {self.kind[:-1]} is called {name!r}. {suggest(name, self.names())}")

    def _called(self, name: str, rules: Rules) -> list[Component]:
        return [one for one in self._all() if one.name == name and rules.refusal(one) is None]

    def _all(self) -> list[Component]:
        if self._offered is None:
            self._offered = offered(self.kind)
        return [*self._builtins, *self._offered]


def _collision(kind: str, name: str, found: Sequence[Component]) -> str:
    owners = " and ".join(f"{one.owner} ({one.reference})" for one in found)
    return (
        f"{len(found)} of the {kind} are called {name!r}: those of {owners}. Uninstall one of them, "
        f"or deny one by its distribution: LLEM_COMPONENTS_DENY={_deniable(found)}"
    )


def _deniable(found: Sequence[Component]) -> str:
    known = [one.distribution for one in found if not one.builtin and one.distribution]
    return known[-1] if known else "NAME"


def suggest(name: str, known: list[str]) -> str:
    """A sentence with the nearest known name, else with all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}."
