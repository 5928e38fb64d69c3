"""What a project's ``pyproject.toml`` says of gates and baselines: ``[tool.llem.gates]`` and beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from pytest_llem.config.model import Model
from pytest_llem.config.problems import problems_of
from pytest_llem.errors import ConfigError
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.pyproject import LlemTable

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


def gates_in(said: LlemTable) -> tuple[str, ...]:
    """The project's gates as ``METRIC:TOLERANCE`` or ``METRIC:TOLERANCE@GLOB``, weakest first.

    Raises:
        ConfigError: a gate is no text.
    """
    where = f"[tool.llem.gates] in {said.file}"
    table = said.table.get("gates", {})
    if not isinstance(table, Mapping):
        raise ConfigError(f'{where} must be a table, such as: energy_per_output_token_j = "5%"')
    globs = table.get(EXPERIMENTS, {})
    if not (isinstance(globs, Mapping) and all(isinstance(g, Mapping) for g in globs.values())):
        raise ConfigError(f"{where}: {EXPERIMENTS} must hold a table for each pattern.")
    plain = {name: value for name, value in table.items() if name != EXPERIMENTS}
    found = [f"{metric}:{tolerance}" for metric, tolerance in _gates(plain, where)]
    for pattern, gates in globs.items():
        found += [f"{metric}:{tolerance}@{pattern}" for metric, tolerance in _gates(gates, where)]
    return tuple(found)


def read_baseline_table(project: Path) -> BaselineTable:
    """``[tool.llem.baselines]`` of *project*.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be.
    """
    return baseline_table_in(read_llem_table(project))


def baseline_table_in(said: LlemTable) -> BaselineTable:
    """As :func:`read_baseline_table` has it, of a file that has been read.

    Raises:
        ConfigError: it says what cannot be.
    """
    try:
        return BaselineTable.model_validate(said.table.get("baselines", {}))
    except ValidationError as error:
        problems = "; ".join(str(problem) for problem in problems_of(error, BaselineTable))
        raise ConfigError(f"[tool.llem.baselines] in {said.file}: {problems}") from None


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
