"""Making a stored run the baseline, because somebody says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.rulebook import matches
from pytest_llem.baselines.store import BaselineStore, How, Update
from pytest_llem.errors import BaselineError, ConfigError
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.books import complete_experiments
from pytest_llem.runs.kept_runs import open_run

if TYPE_CHECKING:
    from pathlib import Path


def accept_run(run: Path | str, baselines: Path, how: How, pattern: str | None = None) -> Update:
    """Make the results of *run* the baselines.

    Args:
        run: its directory, its id, or how only its id begins; a run of format 1 or later.
        baselines: directory of the baselines.
        how: with the reason, which is kept.
        pattern: glob of the experiments to accept; ``None`` is all.

    Raises:
        ConfigError: there is no reason, or no such run.
        StoreError: the run cannot be read.
        BaselineError: nothing of the run is what was asked for, or a file cannot be written.
    """
    reason = " ".join((how.reason or "").split())
    if not reason:
        raise ConfigError("a baseline is accepted for a reason: --reason 'what changed, and why'.")
    store = open_run(str(run))
    results = [one for one in store.results() if pattern is None or matches(pattern, one.full_name)]
    if not results:
        those = "" if pattern is None else f" that {pattern!r} names"
        raise BaselineError(
            f"{store.path} holds no results{those}. Look at {store.path / 'results'}."
        )
    complete, left_out = complete_experiments(results, store.manifest())
    environment = store.environment().model_dump(mode="json")
    how, anchors = replace(how, reason=reason), Anchored.of_run(store).results
    update = BaselineStore(baselines).update(complete, environment, how, anchors)
    return with_left_out(update, left_out)


def with_left_out(update: Update, left_out: dict[str, str]) -> Update:
    """*update* with what was not even tried."""
    from pytest_llem.baselines.store import Refused

    refused = [Refused(experiment, reason) for experiment, reason in left_out.items()]
    return Update(update.stored, [*update.refused, *refused])
