"""All that can be exchanged by name, of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from pytest_llem.components.component import Listed
    from pytest_llem.registry import Registry


def registries() -> list[Registry[Any]]:
    """The registry of each kind."""
    from pytest_llem.config.added import SECTIONS
    from pytest_llem.devices import METERS
    from pytest_llem.engines import ENGINES
    from pytest_llem.reports.exporters import EXPORTERS
    from pytest_llem.workloads import WORKLOADS

    return [ENGINES, SECTIONS, METERS, WORKLOADS, EXPORTERS]


def components(*, check: bool = False) -> list[Listed]:
    """Every component, kind by kind and by name, with what is known of it.

    Nothing is imported unless *check* is wanted: then each is, those of third parties and their
    engines too, and what does not work is ``broken`` or ``incomplete``, with the reason.

    Raises:
        ConfigError: the lists of what may be used cannot be read.
    """
    return [listed for registry in registries() for listed in _listed(registry, check=check)]


def _listed(registry: Registry[Any], *, check: bool) -> list[Listed]:
    if check:
        for name in registry.names():
            try:
                registry.load(name)
            except LlemError:
                continue  # the listing says why
    return registry.listing()
