"""The layers that files make: the user's, and the project's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.documents.document import Document
from pytest_llem.errors import ConfigError
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "llem.yaml"
PROFILE = "profile"
"""Key of files that is no field: the system profile to take."""
COST = "cost"
"""Key of the user's file, and table of a project, that is no field: prices and the grid."""
OTHER_TABLES = frozenset({"engines", "container", "components", "gates", "baselines", COST})
"""Tables of ``[tool.llem]`` that are not about fields."""


def user_directory(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Where a user's own configuration is; ``None`` for a user without a home.

    ``llem`` in ``XDG_CONFIG_HOME`` (XDG Base Directory Specification), in ``~/.config``, or, on
    macOS, in ``~/Library/Application Support``.
    """
    if (base := environ.get("XDG_CONFIG_HOME")) and Path(base).is_absolute():
        return Path(base) / "llem"
    if not (home := environ.get("HOME")):
        return None
    parts = ("Library", "Application Support") if platform == "darwin" else (".config",)
    return Path(home, *parts, "llem")


def read_user_file(environ: Mapping[str, str]) -> Document | None:
    """``llem.yaml`` of the user, or ``None`` if there is none.

    Raises:
        ConfigError: it cannot be read or understood.
    """
    directory = user_directory(environ)
    return None if directory is None else _yaml(directory / FILE)


def read_project(project: Path) -> Document:
    """What *project* says, in ``llem.yaml`` or in ``[tool.llem]`` of its ``pyproject.toml``.

    Raises:
        ConfigError: one of them cannot be understood, or both say something of fields.
    """
    table, own = read_table(project), _yaml(project / FILE)
    if own is None:
        return table
    if said := sorted(table.value.keys() - OTHER_TABLES):
        raise ConfigError(
            f"{table.place(said[0])}: {said[0]} is said here, and there is {own.file}. A project "
            "says what its experiments are in one of the two: move it."
        )
    return own


def read_table(project: Path) -> Document:
    """``[tool.llem]`` of a project, with places where it says something of fields.

    Raises:
        ConfigError: it cannot be understood.
    """
    said = read_llem_table(project)
    if said.table.keys() <= OTHER_TABLES:
        return Document(str(said.file), said.table)
    from pytest_llem.config.documents.toml import read_toml

    return read_toml(said.file).at("tool", "llem")


def _yaml(file: Path) -> Document | None:
    if not file.is_file():
        return None
    from pytest_llem.config.documents.yaml import read_yaml

    return read_yaml(file)
