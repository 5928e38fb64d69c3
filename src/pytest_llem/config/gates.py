"""What a project's ``pyproject.toml`` says of gates and baselines: ``[tool.llem.gates]`` and beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from pytest_llem.config.model import Model
from pytest_llem.config.problems import problems_of
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "pyproject.toml"
EXPERIMENTS = "experiments"
"""The table of gates that are for some experiments only."""
SESSIONS = 20
"""Sessions that are kept of each experiment."""
Choice = Literal["must-match", "warn", "ignore"]
AnchorChoice = Literal["auto", "on", "off"]


class BaselineTable(Model):
    """``[tool.llem.baselines]``."""

    sessions: int = Field(default=SESSIONS, ge=1, le=1000)
    """How many sessions are kept of each experiment, the newest ones."""
    anchors: AnchorChoice = "auto"
    """Whether the anchors are measured in every session, never, or where they are of use."""
    match: dict[str, Choice] = Field(default_factory=dict)
    """What becomes of a difference, by field of the fingerprint; the rest has its default."""


def read_gates(project: Path) -> tuple[str, ...]:
    """The gates of *project* as ``METRIC:TOLERANCE`` or ``METRIC:TOLERANCE@GLOB``, weakest first.

    Raises:
        ConfigError: the file cannot be read, or a gate is no text.
    """
    file = project / FILE
    where = f"[tool.llem.gates] in {file}"
    table = _table(file).get("gates", {})
    if not isinstance(table, Mapping):
        raise ConfigError(f'{where} must be a table, such as: energy_per_output_token_j = "5%"')
    globs = table.get(EXPERIMENTS, {})
    if not (isinstance(globs, Mapping) and all(isinstance(g, Mapping) for g in globs.values())):
        raise ConfigError(f"{where}: {EXPERIMENTS} must hold a table for each pattern.")
    plain = {name: value for name, value in table.items() if name != EXPERIMENTS}
    found = [f"{metric}:{tolerance}" for metric, tolerance in _gates(plain, where)]
    for pattern, gates in globs.items():
        found += [f"{metric}:{said}@{pattern}" for metric, said in _gates(gates, where)]
    return tuple(found)


def read_baseline_table(project: Path) -> BaselineTable:
    """``[tool.llem.baselines]`` of *project*.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be.
    """
    file = project / FILE
    try:
        return BaselineTable.model_validate(_table(file).get("baselines", {}))
    except ValidationError as error:
        said = "; ".join(str(problem) for problem in problems_of(error, BaselineTable))
        raise ConfigError(f"[tool.llem.baselines] in {file}: {said}") from None


def _gates(table: Mapping[str, Any], where: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Metrics with tolerances; a dotted key of TOML is a table within a table."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _gates(value, where, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield prefix + name, value
        else:
            raise ConfigError(
                f'{where}: {prefix}{name} = {value!r} is no tolerance. Write it as a text: "5%", '
                '"+20ms", "5%+2mJ" or "off".'
            )


def _table(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    try:
        found = tomllib.loads(text).get("tool", {}).get("llem", {})
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise ConfigError(f"{file} is no TOML of a project: {error}") from error
    return dict(found) if isinstance(found, dict) else {}
