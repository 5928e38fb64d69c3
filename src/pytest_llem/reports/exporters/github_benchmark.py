"""Metrics for github-action-benchmark, whose tools ``custom…IsBetter`` draw a chart of each.

The format is the action's own: a list of ``name``, ``unit``, ``value``, ``range`` and ``extra``
(https://github.com/benchmark-action/github-action-benchmark#examples). A file has one direction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.reports.exporters.summarised import (
    ESTIMATED,
    main_metrics,
    summary_of,
    title_of,
)
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llem.baselines.run_summary import (
        ExperimentSummary,
        MeasurementSummary,
        RunSummary,
    )
    from pytest_llem.reports.exporters.exporter import Exported


class SmallerIsBetterExporter:
    """Energies and times, for ``tool: customSmallerIsBetter``.

    Experiments that did not pass or have invalid measurements are left out, as are unknown metrics:
    the action knows numbers only. It compares by name, so that of an estimate says so.
    """

    name: ClassVar[str] = "github-smaller"
    api_version: ClassVar[int] = 1
    bigger: ClassVar[bool] = False

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the main metrics of *experiments* that have this direction to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        entries = list(_entries(summary_of(experiments), bigger=self.bigger))
        with replacing(path) as file:
            file.write(f"{json.dumps(entries, indent=2, ensure_ascii=False)}\n".encode())


class BiggerIsBetterExporter(SmallerIsBetterExporter):
    """Rates, for ``tool: customBiggerIsBetter``."""

    name: ClassVar[str] = "github-bigger"
    bigger: ClassVar[bool] = True


def _entries(summary: RunSummary, *, bigger: bool) -> Iterator[dict[str, Any]]:
    for experiment, measurement, name, metric in main_metrics(summary):
        if metric.higher_is_better is bigger:
            mark = ESTIMATED if metric.estimated else ""
            entry = {
                "name": f"{title_of(experiment, measurement)} {name}{mark}",
                "unit": metric.unit,
                "value": metric.value,
            }
            if metric.interval is not None:
                low, high = metric.interval
                entry["range"] = f"± {(high - low) / 2:.6g}"
            yield {**entry, "extra": "\n".join(_extra(summary, experiment, measurement, name))}


def _extra(
    summary: RunSummary, experiment: ExperimentSummary, measurement: MeasurementSummary, name: str
) -> Iterator[str]:
    """What the chart shows of a point besides its value."""
    yield f"{measurement.meter} ({measurement.scope}, {measurement.method})"
    yield f"model {experiment.model}, {experiment.backend}"
    for verdict in experiment.verdicts:
        if (verdict.metric, verdict.measurement) == (name, measurement.name):
            yield f"verdict {verdict.verdict}: {verdict.explanation}"
    if summary.run is not None:
        yield f"run {summary.run.run_id}"
