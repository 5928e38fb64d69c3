"""The lines of a run's journal: which experiment's process came to which state, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from pytest_llem.results.load import read_bytes, refuse_newer
from pytest_llem.results.schema import Outcome, Stored

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_VERSION = 1
State = Literal["pending", "running", "finished"]
Key = tuple[str, str | None, int]
"""Experiment, pytest item and number of one process."""


class Transition(Stored):
    """One line: an experiment's process has come to another state, or a process joined the run."""

    schema_version: Literal[1] = 1
    experiment_id: str | None = None
    """``None`` where a process joined or left the run."""
    node_id: str | None = None
    """The pytest item; ``None`` for an experiment of the library."""
    repeat: int | None = Field(default=None, ge=0)
    """Number of the process among repeats of the same experiment, from 0."""
    state: State | Literal["joined", "left"]
    """``pending`` is what was interrupted and is to run again; what the manifest has and the
    journal has not is pending, too. ``joined`` and ``left`` are of a process that conducts."""
    attempt: int | None = Field(default=None, ge=1)
    """How often this process of the experiment has been started in this run, this time included."""
    outcome: Outcome | None = None
    """Of what has finished."""
    result: str | None = None
    """Name of the stored result's files; ``None`` if none was stored, so that it is to run again."""
    process: int
    """Process id of the supervisor."""
    boot: str | None = None
    """Boot in which ``process`` and ``monotonic_ns`` mean something; where a process joined."""
    monotonic_ns: int
    """Monotonic instant of the supervisor's host."""
    wall: str
    """Wall clock, ISO 8601 with offset: a label, never used to compute."""


@dataclass(frozen=True, slots=True)
class Journey:
    """All that could be read of a journal."""

    transitions: tuple[Transition, ...]
    damaged: tuple[int, ...] = ()
    """Numbers of lines, from 1, that make no sense; a torn last line is none of them."""

    @property
    def latest(self) -> dict[Key, Transition]:
        """The latest transition of each process of each experiment."""
        return {
            (one.experiment_id, one.node_id, one.repeat or 0): one
            for one in self.transitions
            if one.experiment_id is not None
        }


def read_journal(path: Path) -> Journey:
    """All transitions at *path* that can be read; none if there is no journal.

    A torn last line is what a killed process leaves, and no damage.

    Raises:
        StoreError: the file cannot be read, or is of a newer version.
    """
    if not path.exists():
        return Journey(())
    transitions, damaged = [], []
    lines = read_bytes(path).split(b"\n")
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            transitions.append(Transition.model_validate_json(text))
        except ValidationError:
            _refuse_newer(text, path)
            if number < len(lines):
                damaged.append(number)
    return Journey(tuple(transitions), tuple(damaged))


def _refuse_newer(text: bytes, path: Path) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        refuse_newer(content.get("schema_version"), JOURNAL_VERSION, path)
