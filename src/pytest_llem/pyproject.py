"""``[tool.llem]`` of a project's ``pyproject.toml``, as each room that has a table in it reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class LlemTable:
    """What a project says of us."""

    file: Path
    """Where it says so; it need not exist."""
    table: dict[str, Any]
    """``[tool.llem]`` as it stands there; empty where there is none."""


def read_llem_table(project: Path) -> LlemTable:
    """``[tool.llem]`` of the project in directory *project*.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has something else by that name.
    """
    file = project / FILE
    tool = _read(file).get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(f"{file}: tool = {tool!r} must be a table, with one for each tool.")
    table = tool.get("llem", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: there is no such field as tool.llem = {table!r}, but a table.")
    return LlemTable(file, table)


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} cannot be read, for it is no TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    except (RecursionError, ValueError):  # brackets without end, digits without end
        raise ConfigError(f"{file} cannot be read as TOML.") from None
