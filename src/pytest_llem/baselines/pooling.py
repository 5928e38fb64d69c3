"""The processes of one experiment as a single result: what is shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_llem.baselines.samples import measurements_by_name
from pytest_llem.energy.pooled import pooled
from pytest_llem.energy.recorded import pooled_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.schema import ExperimentResult

T = TypeVar("T")


def pooled_result(results: Sequence[ExperimentResult]) -> ExperimentResult:
    """*results*, at least one, as one: figures are means over the processes that passed.

    Outcome and message are those of the first process that did not pass.
    """
    if len(results) == 1:
        return results[0]
    passed = [result for result in results if result.outcome == "passed"]
    shown = next((one for one in passed if one.measurements), results[0])
    broken = next((result for result in results if result.outcome != "passed"), None)
    message = None if broken is None else f"process {broken.repeat + 1}: {broken.message}"
    return shown.model_copy(
        update={
            "repeat": 0,
            "outcome": "passed" if broken is None else broken.outcome,
            "message": message,
            "started_at": results[0].started_at,
            "measurements": tuple(_pooled(passed or results)),
            "recorded": pooled_figures([one.recorded for one in passed or results]),
        }
    )


def _pooled(results: Sequence[ExperimentResult]) -> Iterator[Measured]:
    """Measurements that all of *results* have, in the order of the first."""
    found = [measurements_by_name(result) for result in results]
    for name in found[0]:
        if all(name in one for one in found):
            yield pooled([one[name] for one in found])


def by_experiment(
    results: Iterable[ExperimentResult],
) -> dict[tuple[str, str | None], list[ExperimentResult]]:
    """*results* of one run by experiment, each in the order of its processes."""
    experiments: dict[tuple[str, str | None], list[ExperimentResult]] = {}
    for result in sorted(results, key=lambda result: result.repeat):
        experiments.setdefault(key_of(result), []).append(result)
    return experiments


def as_planned(
    found: Iterable[T], manifest: Manifest, result_of: Callable[[T], ExperimentResult]
) -> list[T]:
    """What was *found* of experiments, in the order of the plan; what is not in it comes last."""
    places = manifest.places()
    return sorted(found, key=lambda one: places.get(key_of(result_of(one)), len(places)))


def key_of(result: ExperimentResult) -> tuple[str, str | None]:
    """What the processes of one experiment share; two tests may measure the same."""
    return result.experiment_id, result.node_id
