"""A run's metrics for OpenTelemetry, sent once over OTLP to where the environment says."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem._version import __version__
from pytest_llem.errors import ExportError, MissingExtraError
from pytest_llem.reports.exporters.otel_points import points_of, resource_of
from pytest_llem.reports.exporters.summarised import summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.resources import Resource

    from pytest_llem.baselines.run_summary import RunFacts
    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.reports.exporters.otel_points import Point

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
LIMIT_S = 10.0
"""How long a run waits for the endpoint at most: what OTLP's exporters wait by default."""
MOST_POINTS = 10_000
"""Of one request: some 4 MB, where collectors take 20 MiB (``max_request_body_size``)."""


class OtelExporter:
    """Sends metrics over OTLP (HTTP, protobuf); ``OTEL_…`` variables say where and how.

    It writes no file, and waits for an endpoint that does not answer for :data:`LIMIT_S` at most.
    """

    name: ClassVar[str] = "otel"
    api_version: ClassVar[int] = 1
    writes_file: ClassVar[bool] = False

    def export(self, experiments: Sequence[Exported], path: Path) -> None:  # noqa: ARG002 - of files
        """Send what is known of *experiments*.

        Raises:
            MissingExtraError: OpenTelemetry is not installed.
            ExportError: the endpoint could not be reached, or did not take it.
        """
        where = os.environ.get(METRICS_ENDPOINT) or os.environ.get(ENDPOINT)
        if not where:
            raise ExportError(f"{ENDPOINT} is not set. Set it, such as to http://localhost:4318.")
        summary = summary_of(experiments)
        requests = _requests(list(points_of(summary)), summary.run)
        problem = _within(LIMIT_S, lambda: _sent(requests))
        if problem:
            raise ExportError(
                f"{where} did not take the metrics: {problem}. Check {ENDPOINT}, and that a "
                "collector takes OTLP over HTTP there."
            )


def _requests(points: Sequence[Point], run: RunFacts | None) -> list[MetricsData]:
    """What is sent at once, in turn."""
    try:
        from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    except ImportError as error:
        raise MissingExtraError("opentelemetry-sdk", "otel") from error
    scope, resource = InstrumentationScope("pytest-llem", __version__), _resource(run)
    parts = [points[at : at + MOST_POINTS] for at in range(0, len(points), MOST_POINTS)]
    return [
        MetricsData(
            [ResourceMetrics(resource, [ScopeMetrics(scope, list(_metrics(part, run)), "")], "")]
        )
        for part in parts
    ]


def _resource(run: RunFacts | None) -> Resource:
    from opentelemetry.sdk.resources import Resource

    named = "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {} if named or os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "pytest-llem"}
    return Resource.create({**resource_of(run), **own})


def _metrics(points: Sequence[Point], run: RunFacts | None) -> Iterator[Metric]:
    """Points of one name together, with the wall clock of the run."""
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Metric,
        NumberDataPoint,
        Sum,
    )

    start_ns = _unix_ns(None if run is None else run.started_at)
    end_ns = _unix_ns(None if run is None else run.finished_at)
    named: dict[str, list[Point]] = {}
    for point in points:
        named.setdefault(point.name, []).append(point)
    for name, group in named.items():
        data = [NumberDataPoint(dict(one.attributes), start_ns, end_ns, one.value) for one in group]
        first = group[0]
        kind = (
            Sum(data, AggregationTemporality.CUMULATIVE, is_monotonic=True)
            if first.counts
            else Gauge(data)
        )
        yield Metric(name, first.description, first.unit, kind)


def _unix_ns(text: str | None) -> int:
    """A label of the wall clock in OpenTelemetry's terms; the present for one that is unknown."""
    return time.time_ns() if text is None else round(datetime.fromisoformat(text).timestamp() * 1e9)


def _sent(requests: Sequence[MetricsData]) -> str:
    """Send *requests* up to the first that is not taken; what went wrong, or nothing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import MetricExportResult
    except ImportError as error:
        raise MissingExtraError("opentelemetry-exporter-otlp-proto-http", "otel") from error
    with _listening() as said:
        exporter = OTLPMetricExporter()
        done = all(exporter.export(one) is MetricExportResult.SUCCESS for one in requests)
        exporter.shutdown()
    return "" if done else "; ".join(said[-1:]) or "no reason was given"


def _within(limit_s: float, send: Callable[[], str]) -> str:
    """What *send* says, or that it took too long; what it raises is raised here."""
    answers: list[str | BaseException] = []

    def run() -> None:
        try:
            answers.append(send())
        except BaseException as error:  # noqa: BLE001 - raised again by the other thread
            answers.append(error)

    thread = threading.Thread(target=run, name="llem-otel", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not answers:
        return f"it did not answer within {limit_s:g} s"
    if isinstance(answers[0], MissingExtraError):
        raise answers[0]
    return str(answers[0])


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What OpenTelemetry's loggers say, which then goes nowhere else."""
    said: list[str] = []
    handler: Any = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("opentelemetry")
    propagates = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
