"""Metrics as node_exporter's textfile collector reads them: Prometheus' text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/ and, for names and base units,
https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pytest_llem.baselines.metrics import metric_named
from pytest_llem.reports.exporters.summarised import summary_of
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_llem.baselines.run_summary import (
        ExperimentSummary,
        MeasurementSummary,
        MetricSummary,
        RunFacts,
        RunSummary,
    )
    from pytest_llem.reports.exporters.exporter import Exported

_UNITS = (
    ("_per_s", "_per_second"),
    ("_j", "_joules"),
    ("_w", "_watts"),
    ("_s", "_seconds"),
    ("_share", "_ratio"),
)
"""Suffixes of our units, and Prometheus' base units."""
_UNIT_WORDS = ("_per_second", "_joules", "_watts", "_seconds", "_ratio")


class Sample(NamedTuple):
    """One line, and what is said of its metric."""

    name: str
    help: str
    labels: Mapping[str, str]
    value: float


class PrometheusExporter:
    """Every metric that is known, as gauges; an unknown one has no line.

    ``estimated`` is a label. Interval ends are gauges of their own (``…_low_…``, ``…_high_…``).
    Figures are those of experiments that passed and whose measurements are valid; outcomes and
    verdicts are there of all.
    """

    name: ClassVar[str] = "prometheus"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the run that *experiments* are of to *path*, which node_exporter wants ``*.prom``.

        Raises:
            OSError: the file cannot be written.
        """
        text = "".join(_lines(_samples(summary_of(experiments))))
        with replacing(path) as file:
            file.write(text.encode())


def metric_name(name: str, part: str = "") -> str:
    """Prometheus' name of a metric: ``llem_energy_per_output_token_joules``.

    *part* goes before the unit, as in ``llem_energy_low_joules``.
    """
    told = f"llem_{name.replace('.', '_')}"
    for suffix, unit in _UNITS:
        if told.endswith(suffix):
            told = told.removesuffix(suffix) + unit
            break
    for unit in _UNIT_WORDS:
        if part and told.endswith(unit):
            return f"{told.removesuffix(unit)}_{part}{unit}"
    return f"{told}_{part}" if part else told


def _samples(summary: RunSummary) -> Iterator[Sample]:
    if summary.run is not None:
        yield from _of_run(summary.run)
    for experiment in summary.experiments:
        yield from _of_experiment(experiment)
        for measurement in experiment.measurements if experiment.usable else ():
            yield from _of_measurement(experiment, measurement)
        for name, told in experiment.recorded.items() if experiment.usable else ():
            yield from _of_metric(name, told, _labels(experiment))


def _of_run(run: RunFacts) -> Iterator[Sample]:
    labels = {
        "run_id": run.run_id,
        "tool_version": run.tool_version,
        "state": run.state,
        "commit": run.commit or "",
        "fingerprint": run.fingerprint or "",
    }
    yield Sample("llem_run_info", "The run that this file is of.", labels, 1.0)
    for name, what, text in (
        ("started", "began", run.started_at),
        ("finished", "ended", run.finished_at),
    ):
        if text is not None:
            told = f"When the run {what}, in seconds since 1970."
            instant = datetime.fromisoformat(text).timestamp()
            plan = {"fingerprint": labels["fingerprint"]}  # so that files of two plans are not one
            yield Sample(f"llem_run_{name}_timestamp_seconds", told, plan, instant)


def _of_experiment(experiment: ExperimentSummary) -> Iterator[Sample]:
    labels = _labels(experiment)
    yield Sample(
        "llem_experiment_outcome",
        "How the experiment ended; always 1, the outcome is a label.",
        {**labels, "outcome": experiment.outcome},
        1.0,
    )
    for verdict in experiment.verdicts:
        which = {**labels, "measurement": verdict.measurement, "metric": verdict.metric}
        gated = "true" if verdict.gated else "false"
        yield Sample(
            "llem_verdict",
            "What was said of a metric; always 1, the verdict is a label.",
            {**which, "verdict": verdict.verdict, "gated": gated},
            1.0,
        )
        if verdict.change is not None:
            told = "Relative change of a metric from its baseline."
            yield Sample("llem_relative_change_ratio", told, which, verdict.change)


def _of_measurement(
    experiment: ExperimentSummary, measurement: MeasurementSummary
) -> Iterator[Sample]:
    labels = {
        **_labels(experiment),
        "measurement": measurement.name,
        "meter": measurement.meter,
        "scope": measurement.scope,
    }
    for name, told in measurement.metrics.items():
        metric, quantity = metric_named(name), name
        own = {**labels, "phase": metric.phase}
        if metric.is_beside:  # the same figure, of another meter
            _, own["scope"], own["meter"], quantity = name.split(".", 3)
        elif metric.phase != "whole":
            quantity = metric.quantity
        yield from _of_metric(quantity, told, own)


def _of_metric(quantity: str, told: MetricSummary, labels: Mapping[str, str]) -> Iterator[Sample]:
    own = {**labels, "estimated": "true" if told.estimated else "false"}
    sentence = f"{quantity} of pytest-llem, per pass where it is a total."
    what = f"{sentence} In {told.unit}." if told.unit else sentence
    yield Sample(metric_name(quantity), what, own, told.value)
    for part, value in zip(("low", "high"), told.interval or (), strict=False):
        end = f"{part.capitalize()} end of the 95 % interval of {quantity}."
        yield Sample(metric_name(quantity, part), end, own, value)


def _labels(experiment: ExperimentSummary) -> dict[str, str]:
    return {
        "experiment": experiment.name,
        "experiment_id": experiment.experiment_id,
        "model": experiment.model,
        "backend": experiment.backend,
    }


def _lines(samples: Iterator[Sample]) -> Iterator[str]:
    """All samples of a metric together, as the format wants them, in the order they came."""
    families: dict[str, list[Sample]] = {}
    for sample in samples:
        families.setdefault(sample.name, []).append(sample)
    for name, family in families.items():
        yield f"# HELP {name} {_escaped(family[0].help)}\n# TYPE {name} gauge\n"
        for sample in family:
            labels = ",".join(
                f'{key}="{_escaped(value, quote=True)}"' for key, value in sample.labels.items()
            )
            yield (
                f"{name}{{{labels}}} {sample.value!r}\n" if labels else f"{name} {sample.value!r}\n"
            )


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text
