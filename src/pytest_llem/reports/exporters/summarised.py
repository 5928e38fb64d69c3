"""What most exporters tell: the run in brief, rather than every process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_llem.baselines.run_summary import RunSummary, run_summary
from pytest_llem.reports.exporters.exporter import Exported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.run_summary import (
        ExperimentSummary,
        MeasurementSummary,
        MetricSummary,
    )

MAIN = (
    "energy_per_output_token_j",
    "energy_per_request_j",
    "energy_j",
    "prefill.energy_j",
    "decode.energy_per_output_token_j",
    "total.energy_j",
    "power_w",
    "duration_s",
    "output_tokens_per_s",
    "ttft_s",
    "itl_s",
    "latencies.ttft.p99_s",
    "latencies.itl.p99_s",
    "latencies.e2e.p99_s",
    "traffic.served_per_s",
    "traffic.goodput_per_s",
)
"""Metrics for tools that draw a chart of each; the others are in the JSON summary."""
ESTIMATED = " (estimated)"
"""Ends the name of an estimate, so that no tool takes it for the same as a measurement."""


class _Same(tuple[Exported, ...]):
    """Experiments that equal others only where each is the very same object."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and [*map(id, self)] == [*map(id, other)]

    def __hash__(self) -> int:
        return hash((*map(id, self),))


def summary_of(experiments: Sequence[Exported]) -> RunSummary:
    """The run that *experiments* are of, in brief; several formats of one run share it."""
    return _summary_of(_Same(experiments))


@lru_cache(maxsize=1)
def _summary_of(experiments: _Same) -> RunSummary:
    run = next((one.run for one in experiments if one.run is not None), None)
    reported = ((one.result, one.judgements) for one in experiments)
    if run is None:
        return run_summary(reported)
    return run_summary(reported, run.manifest, run.environment)


def main_metrics(
    summary: RunSummary,
) -> Iterator[tuple[ExperimentSummary, MeasurementSummary, str, MetricSummary]]:
    """Those of :data:`MAIN` that are known, of experiments whose figures mean what they say.

    What a test recorded of its own stands beside its first measurement.
    """
    for experiment in summary.experiments:
        for measurement in experiment.measurements if experiment.usable else ():
            for name in MAIN:
                if (metric := measurement.metrics.get(name)) is not None:
                    yield experiment, measurement, name, metric
        if experiment.usable and experiment.measurements:
            for name, metric in experiment.recorded.items():
                yield experiment, experiment.measurements[0], name, metric


def title_of(experiment: ExperimentSummary, measurement: MeasurementSummary) -> str:
    """The experiment's name, with that of a measurement beyond its first."""
    if measurement is experiment.measurements[0]:
        return experiment.name
    return f"{experiment.name} {measurement.name}"
