"""The books of a run: opened before its first experiment, closed after its last."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pytest_llem.baselines.pooling import by_experiment
from pytest_llem.baselines.store import BaselineStore, How
from pytest_llem.errors import LlemError, StoreError
from pytest_llem.results.event_log import EventLog
from pytest_llem.results.progress import progress_of
from pytest_llem.results.store import RunStore
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.resuming.plan import settings_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_llem.baselines.store import By
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import Manifest, PlannedExperiment, State
    from pytest_llem.results.progress import Progress
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings

PATIENCE_S = 5.0


def open_or_create(
    settings: RunSettings,
    command: Sequence[str],
    environment: Environment,
    planned: Sequence[PlannedExperiment],
    sources: Mapping[str, str] | None = None,
) -> RunStore:
    """Begin a run, or join the one that another worker has begun under the same name.

    Raises:
        StoreError: the directory of runs cannot be written.
    """
    create = partial(
        RunStore.create,
        settings.runs,
        command=command,
        environment=environment,
        planned=planned,
        repeats=settings.repeats,
        shuffle_seed=settings.shuffle_seed,
        settings=settings_kept(settings),
        sources=sources,
    )
    run_id = settings.run_id
    if run_id is None:
        return create()
    asked = 0

    def name(_: datetime) -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise FileExistsError(run_id)
        return run_id

    try:
        return create(name_run=name)
    except FileExistsError:
        return _join(settings.runs / "runs" / run_id)


def _join(path: Path) -> RunStore:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return RunStore.open(path)
        except StoreError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


@dataclass(slots=True)
class Closing:
    """What closing the books brought."""

    updated: int = 0
    """Experiments whose baseline was written."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why others were not, by experiment."""
    problems: list[str] = field(default_factory=list)
    progress: Progress | None = None
    """How far the run has come; ``None`` if that cannot be read."""


def close_books(
    store: RunStore,
    settings: RunSettings,
    state: State = "finished",
    verdicts: Mapping[str, int] | None = None,
) -> Closing:
    """Bring raw data into its lasting form, update baselines if asked, end the manifest.

    Never raises for what can be told: a run that has finished must not be lost to its books. One
    that has not come to all it planned is interrupted.
    """
    closing = Closing()

    def end() -> None:
        closing.progress = progress_of(store, store.manifest())
        complete = closing.progress.complete
        store.finish(state if complete else "interrupted", verdicts=verdicts)

    for step in (store.compact, end):
        try:
            step()
        except LlemError as error:
            closing.problems.append(str(error))
    if settings.update_baselines:
        _update_baselines(store, settings, closing)
    if settings.log is not None:
        _log_end(settings.log, store, state, closing)
    return closing


def _log_end(path: Path, store: RunStore, state: State, closing: Closing) -> None:
    try:
        outcomes = store.manifest().counts or {}
        log = EventLog(path, closing.problems.append)
    except LlemError as error:
        closing.problems.append(str(error))
        return
    log.run_id = store.run_id
    log.add("run_finished", state=state, outcomes=outcomes, problems=tuple(closing.problems))
    log.close()


def _update_baselines(store: RunStore, settings: RunSettings, closing: Closing) -> None:
    try:
        environment = store.environment().model_dump(mode="json")
        complete, partial_ = complete_experiments(store.results(), store.manifest())
        anchors = Anchored.of_run(store).results
        baselines = BaselineStore(settings.baselines)
        update = baselines.update(complete, environment, _how(settings), anchors)
    except LlemError as error:
        closing.problems.append(str(error))
    else:
        closing.updated = len(update.stored)
        closing.refused = partial_ | {one.experiment_id: one.reason for one in update.refused}


def _how(settings: RunSettings) -> How:
    extends = settings.extend_baselines
    by: By = "extend" if extends else "update"
    return How(by, sessions=settings.baseline_table.sessions, extends=extends)


def complete_experiments(
    results: Iterable[ExperimentResult], manifest: Manifest
) -> tuple[list[ExperimentResult], dict[str, str]]:
    """Results of experiments of which all processes ran, and why others are left out."""
    asked = manifest.processes()
    complete, left_out = [], {}
    for processes in by_experiment(results).values():
        first = processes[0]
        repeats = asked.get(first.experiment_id, manifest.repeats)
        if len(processes) < repeats and all(one.outcome == "passed" for one in processes):
            left_out[first.experiment_id] = f"{len(processes)} of {repeats} processes ran"
        else:
            complete += processes
    return complete, left_out
