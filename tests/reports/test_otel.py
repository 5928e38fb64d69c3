"""Metrics as an OTLP receiver gets them."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.run_summary import run_summary
from pytest_llem.errors import ExportError, MissingExtraError
from pytest_llem.reports.exporters import otel
from pytest_llem.reports.exporters.otel_points import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from conftest import Export, Make

service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")


class Receiver:
    """What came, decoded by OpenTelemetry's own messages."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.status = 200
        self.holds = threading.Event()
        """While it is not set, nobody gets an answer."""
        self.holds.set()

    @property
    def metrics(self) -> dict[str, Any]:
        (request,) = self.requests
        (resource,) = request.resource_metrics
        return {metric.name: metric for metric in resource.scope_metrics[0].metrics}

    @property
    def resource(self) -> dict[str, str]:
        attributes = self.requests[0].resource_metrics[0].resource.attributes
        return {one.key: one.value.string_value for one in attributes}


def attributes(point: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in point.attributes}


@contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/metrics":
                receiver.requests.append(service.ExportMetricsServiceRequest.FromString(body))
            receiver.holds.wait()
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        receiver.holds.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    with listening(receiver) as address:
        monkeypatch.setenv(otel.ENDPOINT, address)
        yield receiver


def send(tmp_path: Path, *experiments: Any) -> None:
    otel.OtelExporter().export(experiments, tmp_path)


def test_a_receiver_gets_energy_under_the_names_of_the_conventions(
    export: Export, receiver: Receiver, tmp_path: Path
) -> None:
    send(tmp_path, export.experiment())
    energy, power = (receiver.metrics[name] for name in ("hw.energy", "hw.power"))
    (point,) = energy.sum.data_points
    assert energy.unit == "J"
    assert energy.sum.is_monotonic
    assert point.as_double == pytest.approx(3.0 + 3.3 + 3.6)
    told = attributes(point)
    assert (told["hw.id"], told["hw.type"], told["hw.name"]) == ("GPU-1", "gpu", "H100")
    assert told["llem.experiment.name"] == "bench/test_chat.py::test_chat[a]"
    assert power.gauge.data_points[0].as_double == 3.3
    assert not list(tmp_path.iterdir())


def test_figures_of_ours_have_their_units_and_intervals(
    export: Export, receiver: Receiver, tmp_path: Path
) -> None:
    send(tmp_path, export.experiment())
    metric = receiver.metrics["llem.energy_per_output_token"]
    (point,) = metric.gauge.data_points
    assert (metric.unit, point.as_double) == ("J/{token}", 0.11)
    assert attributes(point)["llem.estimated"] is False
    assert receiver.metrics["llem.output_tokens_per_s"].unit == "{token}/s"
    high = receiver.metrics["llem.energy_per_output_token.interval.high"]
    assert high.gauge.data_points[0].as_double == pytest.approx(0.13)
    assert "llem.itl" not in receiver.metrics


def test_the_run_is_the_resource_and_its_time_that_of_the_points(
    export: Export, receiver: Receiver, tmp_path: Path
) -> None:
    send(tmp_path, export.experiment())
    assert receiver.resource["service.name"] == "pytest-llem"
    assert receiver.resource["llem.run.id"] == "20261101-120000-ab12"
    (point,) = receiver.metrics["hw.energy"].sum.data_points
    assert point.time_unix_nano - point.start_time_unix_nano == 300 * 10**9


def test_the_environment_may_name_the_service(
    export: Export, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    send(tmp_path, export.experiment())
    assert receiver.resource["service.name"] == "nightly"


def test_an_estimate_says_so_and_is_of_no_hardware(
    export: Export, receiver: Receiver, tmp_path: Path, make: Make
) -> None:
    estimate = export.measured(method="estimated")
    judgements = [make.judgement("improved", change=-0.1)]
    send(tmp_path, export.experiment("a", estimate, judgements=judgements))
    assert not any(name.startswith("hw.") for name in receiver.metrics)
    (point,) = receiver.metrics["llem.energy"].gauge.data_points
    assert attributes(point)["llem.estimated"] is True
    (verdict,) = receiver.metrics["llem.verdict"].gauge.data_points
    assert attributes(verdict)["llem.verdict"] == "improved"


def test_what_failed_keeps_its_energy_but_no_figures(
    export: Export, receiver: Receiver, tmp_path: Path
) -> None:
    send(tmp_path, export.experiment(outcome="failed", message="assert 0"))
    assert "hw.energy" in receiver.metrics
    assert receiver.metrics.keys().isdisjoint({"hw.power", "llem.energy"})
    (point,) = receiver.metrics["llem.experiment.outcome"].gauge.data_points
    assert attributes(point)["llem.outcome"] == "failed"


def test_a_whole_machine_is_a_host(export: Export) -> None:
    experiment = export.experiment("a", export.measured(scope="node"))
    names = {one.name for one in points_of(run_summary([(experiment.result, ())]))}
    assert {"hw.host.energy", "hw.host.power"} <= names
    assert "hw.energy" not in names


@given(st.text())
def test_any_name_comes_through(export: Export, label: str) -> None:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    result = export.experiment(label, node_id=f"t.py::{label}").result
    (data,) = otel._requests(list(points_of(run_summary([(result, ())]))), None)
    receiver = Receiver()
    sent = encode_metrics(data).SerializeToString()
    receiver.requests.append(service.ExportMetricsServiceRequest.FromString(sent))
    (point,) = receiver.metrics["hw.energy"].sum.data_points
    assert attributes(point)["llem.experiment.name"] == f"t.py::{label}"


def test_many_points_are_sent_in_several_requests_of_one_resource(
    export: Export, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(tmp_path, *(export.experiment(str(number)) for number in range(3)))
    whole = sorted(counted(receiver.requests))
    receiver.requests.clear()
    monkeypatch.setattr(otel, "MOST_POINTS", 7)
    send(tmp_path, *(export.experiment(str(number)) for number in range(3)))
    assert len(receiver.requests) == -(-len(whole) // 7)
    assert sorted(counted(receiver.requests)) == whole
    resources = [str(one.resource_metrics[0].resource) for one in receiver.requests]
    assert len(set(resources)) == 1
    assert max(len(list(counted([one]))) for one in receiver.requests) == 7


def counted(requests: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Metric and experiment of every data point."""
    for request in requests:
        for metric in request.resource_metrics[0].scope_metrics[0].metrics:
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                yield metric.name, str(attributes(point)["llem.experiment.name"])


def test_without_an_endpoint_it_says_what_to_set(export: Export, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="OTEL_EXPORTER_OTLP_ENDPOINT is not set"):
        send(tmp_path, export.experiment())


def test_an_endpoint_that_refuses_is_told_with_its_reason(
    export: Export, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.status = 400
    with pytest.raises(ExportError, match=r"did not take the metrics: .*400"):
        send(tmp_path, export.experiment())


def test_nobody_there_is_told(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv(otel.ENDPOINT, f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(otel, "LIMIT_S", 2.0)
        with pytest.raises(ExportError, match="Check OTEL_EXPORTER_OTLP_ENDPOINT"):
            send(tmp_path, export.experiment())


def test_a_slow_endpoint_is_not_waited_for(
    export: Export, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "LIMIT_S", 0.5)
    receiver.holds.clear()
    with pytest.raises(ExportError, match=r"did not answer within 0\.5 s"):
        send(tmp_path, export.experiment())


def test_a_missing_extra_is_named(
    export: Export, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics.export", None)
    with pytest.raises(MissingExtraError, match=r"pytest-llem\[otel\]"):
        send(tmp_path, export.experiment())
