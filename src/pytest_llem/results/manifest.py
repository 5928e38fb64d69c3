"""The manifest of a run: what was asked, when, and how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pytest_llem.config.identity import digest
from pytest_llem.results.schema import Outcome, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MANIFEST_VERSION = 1
State = Literal["running", "finished", "interrupted"]


class PlannedExperiment(Stored):
    """One experiment that the run set out to measure."""

    experiment_id: str
    label: str
    """The experiment within its group, for people."""
    config_hash: str
    """Hash of what is measured; equal for the same experiment anywhere."""
    node_id: str | None = None
    """The pytest item; ``None`` for an experiment of the library, and in runs of before."""
    fingerprint: str | None = None
    """Hash of the whole configuration: how it is measured, and on what, too."""
    repeats: int | None = None
    """Fresh processes that it asks for itself; ``None`` for as many as the run has."""
    config: dict[str, Any] | None = None
    """What of the configuration differs from the defaults; ``None`` in runs of before."""


class Drift(Stored):
    """Something that is not any more as it was when a run began."""

    field: str
    """What it is, such as ``environment.driver_version`` or ``test_it[a]: measurement.windows``."""
    before: Any
    now: Any


class Resumption(Stored):
    """One time that the run was taken up again."""

    at: str
    """Wall clock, ISO 8601 with offset: a label, never used to compute."""
    command: tuple[str, ...]
    tool_version: str
    session: str | None = None
    """What the workers of the session that took it up had in common."""
    drift: tuple[Drift, ...] = ()
    """What had changed by then, and was accepted."""


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
    settings: dict[str, str | float | bool | None] | None = None
    """What else decides on figures, such as the meter; ``None`` in runs of before."""
    sources: dict[str, str] | None = None
    """SHA-256 of the test files and of the ``conftest.py`` beside and above them, by path within
    the project; ``None`` in runs of before."""
    fingerprint: str | None = None
    """Hash over the plan's configurations, ``settings`` and ``sources``: two runs that have the
    same one set out to do the same. ``None`` in runs of before."""
    resumptions: tuple[Resumption, ...] = ()
    """When the run was taken up again after it had been killed or interrupted."""
    verdicts: dict[str, int] | None = None
    """Experiments by verdict, or by outcome where there is none; ``None`` before the end."""

    def places(self) -> dict[tuple[str, str | None], int]:
        """Where each experiment stands in the plan, by its id and its item."""
        return {(one.experiment_id, one.node_id): n for n, one in enumerate(self.planned)}

    def processes(self) -> dict[str, int]:
        """How many processes each experiment was to have, by its id."""
        return {one.experiment_id: one.repeats or self.repeats for one in self.planned}


def fingerprint_of(
    planned: Iterable[PlannedExperiment],
    settings: Mapping[str, str | float | bool | None] | None,
    sources: Mapping[str, str] | None,
) -> str | None:
    """Hash over all that a run sets out to do; ``None`` if that is not known in full."""
    prints = [one.fingerprint for one in planned]
    if settings is None or sources is None or None in prints:
        return None
    return digest([prints, dict(settings), dict(sources)])
