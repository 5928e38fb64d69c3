"""What installed distributions offer, read from their metadata."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pytest_llem.components.component import Component

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "pytest_llem"
_EXTRAS = re.compile(r"\s*\[.*\]\s*$")


def offered(kind: str) -> list[Component]:
    """Entry points of the group ``pytest_llem.<kind>``, by name; nothing is imported."""
    found = [_component(kind, entry) for entry in metadata.entry_points(group=f"{GROUP}.{kind}")]
    return sorted(found, key=lambda one: (one.name, one.distribution or "", one.reference))


def missing(component: Component) -> list[str]:
    """What *component* needs and this environment lacks; empty if all is there.

    Of a third party's component its module and what its distribution requires are looked for, of
    a built-in one the modules that it declares. Nothing is imported, so a package that is there
    but broken is not seen.
    """
    if component.builtin:
        return [module for module in component.needs if not _findable(module)]
    module = component.reference.partition(":")[0].strip()
    lacking = [] if _findable(module.partition(".")[0]) else [f"module {module}"]
    return lacking + list(_requirements_missing(component))


def _component(kind: str, entry: metadata.EntryPoint) -> Component:
    distribution = entry.dist
    return Component(
        kind=kind,
        name=entry.name,
        reference=_EXTRAS.sub("", entry.value),
        distribution=distribution.name if distribution else None,
        version=distribution.version if distribution else None,
        builtin=False,
    )


def _findable(module: str) -> bool:
    """Whether the top-level *module* is there; a parent package would be imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _requirements_missing(component: Component) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    if component.distribution is None:
        return
    for text in metadata.requires(component.distribution) or ():
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            continue
        if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(asked.name)
        except metadata.PackageNotFoundError:
            yield f"{asked.name}{asked.specifier}"
        else:
            if not asked.specifier.contains(installed, prereleases=True):
                yield f"{asked.name}{asked.specifier} ({installed} is installed)"
