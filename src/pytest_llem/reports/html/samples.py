"""The samples that a figure rests on, by process, and those of its baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.baselines.metrics import INFORMING, METRICS
from pytest_llem.baselines.samples import measurements_by_name
from pytest_llem.baselines.values import metric_values
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.quantities import common_exponent, prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.compared import ComparedMetric
    from pytest_llem.baselines.metrics import Metric
    from pytest_llem.reports.html.report import ReportedExperiment
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.results.schema import ExperimentResult

_DIGITS = 6


def samples_of(one: ReportedExperiment) -> list[dict[str, Any]]:
    """One picture for each metric that was judged, else for the one that sums it up."""
    row = one.row
    wanted = dict.fromkeys((each.measurement, each.metric) for each in row.judgements)
    if row.measured is not None and not wanted:
        known = (name for name in INFORMING if metric_values(row.measured, METRICS[name]))
        wanted = {(row.measured.name, name): None for name in known}
        wanted = dict.fromkeys(list(wanted)[:1])
    found = (_samples(one, measurement, metric) for measurement, metric in wanted)
    return [picture for picture in found if picture is not None]


def _samples(one: ReportedExperiment, measurement: str, name: str) -> dict[str, Any] | None:
    metric = METRICS.get(name)
    if metric is None:
        return None
    now = list(_now(_processes(one.row), measurement, metric))
    if not any(values for _, values in now):
        return None
    compared = [
        each for each in one.compared if (each.measurement, each.metric) == (measurement, name)
    ]
    before = list(_before(compared))
    exponent = _exponent(metric, [*now, *before])
    measured = _named(one.row.result, measurement)
    return {
        "metric": VIEW.clean(name),
        "measurement": VIEW.clean(measurement),
        "unit": prefix(exponent, VIEW.signs) + metric.unit if metric.has_prefixes else metric.unit,
        "estimated": is_estimate(measured, name),
        "now": [[label, _scaled(values, exponent)] for label, values in now],
        "before": [[label, _scaled(values, exponent)] for label, values in before],
    }


def _processes(row: SummaryRow) -> Sequence[ExperimentResult]:
    return row.processes or (row.result,)


def _named(result: ExperimentResult, measurement: str) -> Any:
    return measurements_by_name(result).get(measurement)


def _now(
    results: Sequence[ExperimentResult], measurement: str, metric: Metric
) -> Iterator[tuple[str, Sequence[float]]]:
    for result in results:
        measured = _named(result, measurement)
        if measured is not None:
            yield f"process {result.repeat + 1}", metric_values(measured, metric)


def _before(compared: Sequence[ComparedMetric]) -> Iterator[tuple[str, Sequence[float]]]:
    for one in compared:
        for session in one.sessions:
            for number, values in enumerate(session.processes, start=1):
                yield VIEW.clean(f"{session.started_at[:16].replace('T', ' ')}, {number}"), values


def _exponent(metric: Metric, sides: Sequence[tuple[str, Sequence[float]]]) -> int:
    if not metric.has_prefixes:
        return 0
    return common_exponent(value for _, values in sides for value in values)


def _scaled(values: Sequence[float], exponent: int) -> list[float]:
    """Values in the unit that is shown, to more digits than any screen tells apart."""
    return [float(f"{value / 10.0**exponent:.{_DIGITS}g}") for value in values]
