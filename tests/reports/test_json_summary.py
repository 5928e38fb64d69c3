"""A run in brief as JSON, which its published schema describes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llem.energy.pooled import pooled

if TYPE_CHECKING:
    from conftest import Export, Make

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "summary.v1.schema.json").read_text(encoding="utf-8")
)
HEADLINE = "energy_per_output_token_j"


def valid(document: Any) -> Any:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_a_metric_has_its_value_its_interval_and_its_unit(export: Export) -> None:
    (experiment,) = valid(export.document("json", export.experiment()))["experiments"]
    metrics = experiment["measurements"][0]["metrics"]
    assert metrics[HEADLINE] == {
        "value": 0.11,
        "unit": "J/token",
        "interval": [pytest.approx(0.09), pytest.approx(0.13)],
        "estimated": False,
        "higher_is_better": False,
    }
    assert metrics["output_tokens_per_s"]["higher_is_better"] is True
    assert metrics["duration_s"]["interval"] == [pytest.approx(1 / 3), pytest.approx(1 / 3)]


def test_what_is_unknown_is_left_out_and_never_zero(export: Export, make: Make) -> None:
    nothing = make.measured()
    (experiment,) = valid(export.document("json", export.experiment("a", nothing)))["experiments"]
    (measurement,) = experiment["measurements"]
    assert measurement["metrics"] == {}
    assert measurement["windows_energy_j"] is measurement["windows_output_tokens"] is None


def test_an_estimate_says_so_and_a_time_beside_it_is_measured(export: Export) -> None:
    estimate = export.measured(method="estimated")
    (experiment,) = export.document("json", export.experiment("a", estimate))["experiments"]
    (measurement,) = experiment["measurements"]
    assert measurement["estimated"] is True
    metrics = measurement["metrics"]
    assert metrics[HEADLINE]["estimated"] is metrics["power_w"]["estimated"] is True
    assert metrics["duration_s"]["estimated"] is False


def test_verdicts_have_their_explanation_and_open_ends_are_null(export: Export, make: Make) -> None:
    judgements = [
        make.judgement("pass", metric="ttft_s"),
        make.judgement("regressed", change=0.2, interval=(0.1, math.inf), baseline=0.1),
    ]
    (experiment,) = valid(export.document("json", export.experiment(judgements=judgements)))[
        "experiments"
    ]
    assert experiment["verdict"] == "regressed"
    regressed = experiment["verdicts"][1]
    assert regressed["explanation"] == "it is regressed"
    assert regressed["interval"] == [0.1, None]
    assert regressed["estimated"] is False


def test_processes_of_an_experiment_are_one_with_an_interval_over_them(export: Export) -> None:
    measured = [export.measured(energy_j=1.0), export.measured((4.0,), energy_j=2.0)]
    processes = [export.experiment("a", one, repeat=i) for i, one in enumerate(measured)]
    (experiment,) = valid(export.document("json", *processes))["experiments"]
    (measurement,) = experiment["measurements"]
    assert experiment["processes"] == 2
    assert measurement["windows"] == 4
    assert measurement["metrics"]["energy_j"]["value"] == pooled(measured).energy_j == 1.5
    assert measurement["windows_energy_j"] == pytest.approx(3.0 + 3.3 + 3.6 + 4.0)


def test_a_test_that_ran_again_counts_as_it_came_out_at_last(export: Export) -> None:
    tries = [
        export.experiment(outcome="failed", message="it did"),
        export.experiment(outcome="passed"),
    ]
    (experiment,) = export.document("json", *tries)["experiments"]
    assert (experiment["outcome"], experiment["processes"]) == ("passed", 1)


def test_a_failed_experiment_keeps_its_message_and_what_it_measured(export: Export) -> None:
    failed = export.experiment(outcome="failed", message="assert 0")
    (experiment,) = valid(export.document("json", failed))["experiments"]
    assert experiment["message"] == "assert 0"
    assert experiment["fingerprint"] is None
    assert HEADLINE in experiment["measurements"][0]["metrics"]


def test_the_run_is_there_with_its_fingerprint(export: Export) -> None:
    run = valid(export.document("json", export.experiment()))["run"]
    assert run["run_id"] == "20261101-120000-ab12"
    assert run["fingerprint"] == "0123456789abcdef"
    assert run["commit"] == "c0ffee+dirty"


def test_nothing_at_all_is_a_document_too(export: Export) -> None:
    assert valid(export.document("json"))["experiments"] == []


@settings(max_examples=40)
@given(st.text(min_size=1), st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_name_and_any_number_come_back(
    export: Export, name: str, label: str, value: float
) -> None:
    measured = export.measured(name=name, energy_j=value, energy_uncertainty_j=1e308)
    given_ = export.experiment(label, measured, node_id=f"t.py::{label}")
    (experiment,) = valid(export.document("json", given_))["experiments"]
    assert experiment["label"] == label
    assert experiment["measurements"][0]["name"] == name
    assert experiment["measurements"][0]["metrics"]["energy_j"]["value"] == value
