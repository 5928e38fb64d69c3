"""The manifest of a run: what was asked, when, and how far it came."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_llem.results.schema import Outcome, Stored

MANIFEST_VERSION = 1
State = Literal["running", "finished", "interrupted"]


class PlannedExperiment(Stored):
    """One experiment that the run set out to measure."""

    experiment_id: str
    label: str
    """The experiment within its group, for people."""
    config_hash: str
    """Hash of what is measured; equal for the same experiment anywhere."""


class Manifest(Stored):
    """A run, written before its first experiment and once more at its end."""

    schema_version: Literal[1] = 1
    run_id: str
    tool_version: str
    """Version of pytest-llem that ran."""
    command: tuple[str, ...]
    """The command line, one argument an item."""
    planned: tuple[PlannedExperiment, ...]
    """What the run set out to measure, in order."""
    repeats: int = Field(default=1, ge=1)
    """Fresh processes per experiment."""
    shuffle_seed: int | None = None
    """Seed of the order within each round; ``None`` if experiments ran as collected."""
    started_at: str
    """Wall clock, ISO 8601 with offset: a label, never used to compute."""
    finished_at: str | None = None
    """Wall clock at the end; ``None`` while the run goes on, or if it was killed."""
    state: State = "running"
    """``running`` for good if the run was killed; its finished results are kept all the same."""
    counts: dict[Outcome, int] | None = None
    """Stored results by outcome; ``None`` before the end."""
    unreadable: int | None = Field(default=None, ge=0)
    """Result files that could not be read at the end; ``None`` before the end."""
