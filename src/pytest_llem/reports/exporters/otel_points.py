"""What OpenTelemetry is told of a run: data points, with names of the semantic conventions.

``hw.energy``, ``hw.power`` and, of a whole machine, ``hw.host.energy`` and ``hw.host.power`` with their
attributes are those of https://opentelemetry.io/docs/specs/semconv/hardware/ (status: development);
what has no name there begins with ``llem.``. Units are UCUM's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_llem.baselines.metrics import metric_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llem.baselines.run_summary import (
        ExperimentSummary,
        MeasurementSummary,
        MetricSummary,
        RunFacts,
        RunSummary,
    )

Attributes: TypeAlias = "Mapping[str, str | bool | int]"
_SUFFIXES = ("_per_s", "_j", "_w", "_s")
"""Of our names, since units are no part of names there; ``_per_s`` stays."""
_UNITS = {
    "J/token": "J/{token}",
    "J/request": "J/{request}",
    "tokens/s": "{token}/s",
    "requests/s": "{request}/s",
    "requests": "{request}",
    "": "1",
}
_TYPES = {"gpu": "gpu", "package": "cpu", "dram": "memory", "module": "enclosure"}
"""``hw.type`` by our scope. A process is no hardware."""


class Point(NamedTuple):
    """One data point."""

    name: str
    unit: str
    description: str
    value: float
    attributes: Attributes
    counts: bool = False
    """Whether it is a sum over the run rather than a gauge."""


def points_of(summary: RunSummary) -> Iterator[Point]:
    """All data points of a run, those of a metric not necessarily together.

    Figures are those of experiments that passed and whose measurements are valid; the energy of
    windows, outcomes and verdicts are there of all.
    """
    for experiment in summary.experiments:
        own = _of(experiment)
        yield Point(
            "llem.experiment.outcome",
            "1",
            "How an experiment ended; always 1",
            1,
            {**own, "llem.outcome": experiment.outcome},
        )
        yield from _verdicts(experiment, own)
        for measurement in experiment.measurements:
            labels = {
                **own,
                "llem.measurement": measurement.name,
                "llem.meter": measurement.meter,
                "llem.scope": measurement.scope,
            }
            yield from _hardware(measurement, labels, usable=experiment.usable)
            for name, metric in measurement.metrics.items() if experiment.usable else ():
                yield from _metric(name, metric, labels)
        for name, metric in experiment.recorded.items() if experiment.usable else ():
            yield from _metric(name, metric, own)


def resource_of(run: RunFacts | None) -> dict[str, str]:
    """What says of which run and of what code the points are."""
    if run is None:
        return {}
    known = {
        "service.version": run.tool_version,
        "llem.run.id": run.run_id,
        "llem.run.fingerprint": run.fingerprint,
        "vcs.ref.head.revision": run.commit,
        "vcs.ref.head.name": run.branch,
    }
    return {name: value for name, value in known.items() if value is not None}


def _of(experiment: ExperimentSummary) -> dict[str, str]:
    return {
        "llem.experiment.name": experiment.name,
        "llem.experiment.id": experiment.experiment_id,
        "llem.model": experiment.model,
        "llem.backend": experiment.backend,
    }


def _verdicts(experiment: ExperimentSummary, own: Attributes) -> Iterator[Point]:
    for verdict in experiment.verdicts:
        which = {**own, "llem.measurement": verdict.measurement, "llem.metric": verdict.metric}
        yield Point(
            "llem.verdict",
            "1",
            "What was said of a metric; always 1",
            1,
            {**which, "llem.verdict": verdict.verdict, "llem.gated": verdict.gated},
        )
        if verdict.change is not None:
            told = "Relative change of a metric from its baseline"
            yield Point("llem.relative_change", "1", told, verdict.change, which)


def _hardware(
    measurement: MeasurementSummary, labels: Attributes, *, usable: bool
) -> Iterator[Point]:
    """Energy of all windows, and mean power in them, of the hardware that was read."""
    prefix = "hw.host" if measurement.scope == "node" else "hw"
    attributes: dict[str, str | bool | int] = {**labels, "llem.estimated": measurement.estimated}
    if measurement.scope != "node":
        if measurement.scope not in _TYPES:
            return
        attributes["hw.id"] = ",".join(device.uuid for device in measurement.devices)
        attributes["hw.type"] = _TYPES[measurement.scope]
        attributes["hw.name"] = ", ".join(device.name for device in measurement.devices)
    energy_j, power = measurement.windows_energy_j, measurement.metrics.get("power_w")
    if energy_j is not None:
        told = "Energy of the windows of a measurement"
        yield Point(f"{prefix}.energy", "J", told, energy_j, attributes, counts=True)
    if power is not None and usable:
        yield Point(f"{prefix}.power", "W", "Mean power in windows", power.value, attributes)


def _metric(name: str, told: MetricSummary, labels: Attributes) -> Iterator[Point]:
    metric = metric_named(name)
    short = f"llem.{metric.quantity}"
    suffix = next((one for one in _SUFFIXES if short.endswith(one)), "")
    short = short if suffix == "_per_s" else short.removesuffix(suffix)
    unit = _UNITS.get(told.unit, told.unit)
    own = {**labels, "llem.phase": metric.phase, "llem.estimated": told.estimated}
    yield Point(short, unit, f"{metric.quantity} of pytest-llem", told.value, own)
    for end, value in zip(("low", "high"), told.interval or (), strict=False):
        text = f"{end.capitalize()} end of the 95 % interval"
        yield Point(f"{short}.interval.{end}", unit, text, value, own)
