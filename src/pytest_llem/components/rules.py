"""Which components may be used: allow and deny lists of a project and of its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pytest_llem.components.component import normalized
from pytest_llem.errors import ConfigError
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llem.components.component import Component

TABLE = "tool.llem.components"
ALLOW, DENY = "LLEM_COMPONENTS_ALLOW", "LLEM_COMPONENTS_DENY"
_PROJECT: list[Path] = []


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns of what may be used.

    A pattern, with ``*`` and ``?`` as in file names, is matched against ``kind.name``
    (``engines.onnx``) and against the name of the distribution (``pytest-llem-onnx``).
    """

    allow: tuple[str, ...] | None = None
    """Third parties' components that may be used; ``None`` is all. Built-in ones always may."""
    deny: tuple[str, ...] = ()
    """Components, built-in ones too, that may not; this wins."""

    def refusal(self, component: Component) -> str | None:
        """Which rule excludes *component*, or ``None`` if it may be used."""
        for pattern in self.deny:
            if matches(pattern, component):
                return f"denied by {pattern!r}"
        if component.builtin or self.allow is None:
            return None
        if any(matches(pattern, component) for pattern in self.allow):
            return None
        return "not on the list of what is allowed"


def matches(pattern: str, component: Component) -> bool:
    """Whether *pattern* names *component* or its distribution."""
    if fnmatchcase(component.key, pattern):
        return True
    owner = component.distribution
    return (
        not component.builtin
        and owner is not None
        and fnmatchcase(normalized(owner), normalized(pattern))
    )


def set_project(directory: Path) -> None:
    """Have :func:`current_rules` read the project in *directory*; otherwise it is the current one."""
    _PROJECT[:] = [directory]


def current_rules() -> Rules:
    """The rules of the project that this process works for.

    Raises:
        ConfigError: they cannot be read.
    """
    from pathlib import Path

    return read_rules(_PROJECT[0] if _PROJECT else Path.cwd(), os.environ)


def read_rules(project: Path, environ: Mapping[str, str]) -> Rules:
    """The rules of ``[tool.llem.components]`` in *project*; each is replaced by its variable.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be.
    """
    said = read_llem_table(project)
    file, table = said.file, said.table.get("components", {})
    if not isinstance(table, dict):
        raise ConfigError(f"[{TABLE}] in {file} must be a table with allow and deny.")
    if unknown := sorted(table.keys() - {"allow", "deny"}):
        raise ConfigError(
            f"[{TABLE}] in {file}: {unknown[0]} is not known. Known: allow and deny, both lists."
        )
    allow, deny = (_listed(table, key, file) for key in ("allow", "deny"))
    if (text := environ.get(ALLOW)) is not None:
        allow = _split(text)
    if (text := environ.get(DENY)) is not None:
        deny = _split(text)
    return Rules(allow, deny or ())


def _listed(table: dict[str, Any], key: str, file: Path) -> tuple[str, ...] | None:
    found = table.get(key)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ConfigError(
            f"[{TABLE}] in {file}: {key} must be a list of patterns, such as "
            "['pytest-llem-onnx', 'meters.zeus']."
        )
    return tuple(found)


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (one.strip() for one in text.split(","))))
