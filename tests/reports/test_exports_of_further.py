"""What a test recorded of its own, and what meters beside the first read, in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_llem.baselines.run_summary import run_summary
from pytest_llem.energy.measured import ScopeFigures
from pytest_llem.measure.recording import recording
from pytest_llem.reports.exporters.otel_points import points_of

if TYPE_CHECKING:
    from conftest import Export
    from pytest_llem.reports.exporters.exporter import Exported

PACKAGE = "beside.package.rapl"


@pytest.fixture
def experiment(export: Export) -> Exported:
    """One that recorded an accuracy and a delay, and read an estimate beside its GPU."""
    unknown = dict.fromkeys(ScopeFigures.model_fields)
    known = {"energy_j": 7.0, "energy_uncertainty_j": 0.5, "power_w": 21.0}
    kind = {"meter": "rapl", "scope": "package", "method": "counter"}
    package = ScopeFigures.model_validate(
        {**unknown, **known, **kind, "devices": ("pkg-0",), "warnings": ()}
    )
    estimate = package.model_copy(
        update={"meter": "estimate", "scope": "process", "method": "estimated"}
    )
    figures = (
        recording("accuracy", [True] * 70 + [False] * 30),
        recording("delay", 0.25, unit="s"),
    )
    measured = export.measured(beside=(package, estimate))
    return export.experiment("a", measured, recorded=figures)


def test_the_summary_has_both(export: Export, experiment: Exported) -> None:
    (found,) = export.document("json", experiment)["experiments"]
    assert found["recorded"]["quality.accuracy"] == {
        "value": 0.7,
        "unit": "",
        "interval": [pytest.approx(0.61, abs=0.01), pytest.approx(0.79, abs=0.01)],
        "estimated": False,
        "higher_is_better": True,
    }
    delay = found["recorded"]["quality.delay"]
    assert (delay["value"], delay["unit"], delay["interval"]) == (0.25, "s", None)
    metrics = found["measurements"][0]["metrics"]
    assert metrics[f"{PACKAGE}.energy_j"] == {
        "value": 7.0,
        "unit": "J",
        "interval": [6.5, 7.5],
        "estimated": False,
        "higher_is_better": False,
    }
    assert metrics["beside.process.estimate.power_w"]["estimated"] is True
    assert f"{PACKAGE}.energy_per_output_token_j" not in metrics


def test_prometheus_has_meters_as_labels_and_what_was_recorded_by_name(
    export: Export, experiment: Exported
) -> None:
    text = export.written("prometheus", experiment)
    found = {family.name: family for family in text_string_to_metric_families(text)}
    energies = {
        (one.labels["meter"], one.labels["scope"], one.labels["estimated"]): one.value
        for one in found["llem_energy_joules"].samples
    }
    assert energies == {
        ("nvml", "gpu", "false"): 1.1,
        ("rapl", "package", "false"): 7.0,
        ("estimate", "process", "true"): 7.0,
    }
    assert found["llem_quality_accuracy"].samples[0].value == 0.7
    assert found["llem_quality_accuracy_low"].samples[0].value == pytest.approx(0.61, abs=0.01)
    assert "In s." in found["llem_quality_delay"].documentation


def test_charts_have_what_was_recorded_where_its_direction_is_known(
    export: Export, experiment: Exported
) -> None:
    bigger = {one["name"]: one["value"] for one in export.document("github-bigger", experiment)}
    assert [value for name, value in bigger.items() if name.endswith("quality.accuracy")] == [0.7]
    smaller = export.document("github-smaller", experiment)
    assert not [one for one in [*smaller, *bigger] if "quality.delay" in str(one)]


def test_open_telemetry_has_both(experiment: Exported) -> None:
    points = {
        (point.name, point.attributes.get("llem.estimated")): point.value
        for point in points_of(run_summary([(experiment.result, ())]))
    }
    assert points["llem.quality.accuracy", False] == 0.7
    assert points[f"llem.{PACKAGE}.energy", False] == 7.0
    assert points["llem.beside.process.estimate.power", True] == 21.0
