"""Keeping what a run was compared with: the samples of its baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.compared import Compared, compared_metrics, keep_compared
from pytest_llem.runs.compared_with import compared_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore
    from pytest_llem.runs.settings import RunSettings

Reported = tuple[str, "Sequence[ExperimentResult]", "Sequence[Judgement]"]
"""Name of an experiment's result, its processes, and what was said of it."""


def keep_samples(store: RunStore, settings: RunSettings, experiments: Sequence[Reported]) -> None:
    """Keep the samples of the baselines that *experiments* were judged by, before they change.

    Nothing is written where nothing was compared.

    Raises:
        BaselineError: a baseline cannot be read.
        StoreError: they cannot be written.
    """
    judged = [one for one in experiments if any(each.change is not None for each in one[2])]
    if not judged:
        return
    baselines, environment = compared_with(settings), store.environment().model_dump(mode="json")
    found = {}
    for name, results, judgements in judged:
        measured = next((result for result in results if result.measurements), results[0])
        entry = baselines.find(measured, environment)
        if entry is not None and (metrics := tuple(compared_metrics(entry, judgements))):
            found[name] = metrics
    keep_compared(store, Compared(baselines=found))
