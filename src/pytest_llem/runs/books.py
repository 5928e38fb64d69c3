"""The books of a run: opened before its first experiment, closed after its last."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.baselines.store import BaselineStore
from pytest_llem.errors import LlemError, StoreError
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import PlannedExperiment, State
    from pytest_llem.runs.settings import RunSettings

PATIENCE_S = 5.0


def open_or_create(
    root: Path,
    run_id: str | None,
    command: Sequence[str],
    environment: Environment,
    planned: Sequence[PlannedExperiment],
) -> RunStore:
    """Begin a run, or join the one called *run_id* that another worker has begun.

    Raises:
        StoreError: *root* cannot be written.
    """
    if run_id is None:
        return RunStore.create(root, command=command, environment=environment, planned=planned)
    asked = 0

    def name(_: datetime) -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise FileExistsError(run_id)
        return run_id

    try:
        return RunStore.create(
            root, command=command, environment=environment, planned=planned, name_run=name
        )
    except FileExistsError:
        return _join(root / "runs" / run_id)


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


def close_books(store: RunStore, settings: RunSettings, state: State = "finished") -> Closing:
    """Bring raw data into its lasting form, update baselines if asked, end the manifest.

    Never raises for what can be told: a run that has finished must not be lost to its books.
    """
    closing = Closing()
    for step in (store.compact, lambda: store.finish(state)):
        try:
            step()
        except LlemError as error:
            closing.problems.append(str(error))
    if settings.update_baselines:
        _update_baselines(store, settings, closing)
    return closing


def _update_baselines(store: RunStore, settings: RunSettings, closing: Closing) -> None:
    try:
        environment = store.environment().model_dump(mode="json")
        update = BaselineStore(settings.baselines).update(list(store.results()), environment)
    except LlemError as error:
        closing.problems.append(str(error))
    else:
        closing.updated = len(update.stored)
        closing.refused = {refused.experiment_id: refused.reason for refused in update.refused}
