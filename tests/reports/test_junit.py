from __future__ import annotations

import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from pytest_llem.reports.junit import user_properties

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Make
    from pytest_llem.results.schema import ExperimentResult


@pytest.fixture
def result(make: Make) -> ExperimentResult:
    headline = make.measured(
        method="estimated",
        energy_per_output_token_j=0.00602,
        energy_per_output_token_uncertainty_j=0.00011,
        output_tokens_per_s=2412.0,
        prefill=make.phase(0.081),
        warnings=("warm-up did not converge",),
    )
    return make.result("float32-8", [headline, make.measured(name="tokenize", energy_j=1.25)])


def test_figures_are_named_with_their_unit_and_unknown_ones_are_absent(
    result: ExperimentResult,
) -> None:
    properties = dict(user_properties(result, []))
    assert properties["llem.energy_per_output_token_j"] == 0.00602
    assert properties["llem.energy_per_output_token_uncertainty_j"] == 0.00011
    assert properties["llem.output_tokens_per_s"] == 2412.0
    assert properties["llem.prefill.energy_j"] == 0.081
    assert "llem.decode.energy_j" not in properties
    assert "llem.ttft_s" not in properties
    assert "llem.verdict" not in properties


def test_an_estimate_is_labelled(result: ExperimentResult) -> None:
    properties = dict(user_properties(result, []))
    assert properties["llem.method"] == "estimated"
    assert properties["llem.estimated"] == "true"
    assert properties["llem.tokenize.estimated"] == "false"


def test_further_measurements_carry_their_name(result: ExperimentResult) -> None:
    assert dict(user_properties(result, []))["llem.tokenize.energy_j"] == 1.25


def test_the_worst_verdict_stands_for_all(result: ExperimentResult, make: Make) -> None:
    judgements = [
        make.judgement("regressed", metric="power_w", gated=False),
        make.judgement("improved", metric="ttft_s"),
        make.judgement("inconclusive", change=0.02, interval=(-0.01, math.inf), baseline=0.0059),
    ]
    properties = dict(user_properties(result, judgements))
    name = "llem.energy_per_output_token_j"
    assert properties["llem.verdict"] == "inconclusive"
    assert properties["llem.ttft_s.verdict"] == "improved"
    assert properties["llem.power_w.gated"] == "false"
    assert properties[f"{name}.relative_change"] == 0.02
    assert properties[f"{name}.relative_change_low"] == -0.01
    assert f"{name}.relative_change_high" not in properties
    assert properties["llem.baseline.energy_per_output_token_j"] == 0.0059


def test_an_experiment_that_measured_nothing_has_its_identity(make: Make) -> None:
    assert [name for name, _ in user_properties(make.result("x", []), [])] == [
        "llem.experiment_id",
        "llem.config_hash",
        "llem.run_id",
    ]


CONFTEST = """
import pathlib, pytest
from pytest_llem.reports.junit import user_properties
from pytest_llem.results.schema import ExperimentResult

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when != "setup":
        result = ExperimentResult.model_validate_json(pathlib.Path("result.json").read_text())
        report.user_properties += user_properties(result, [])
    return report
"""


def test_junit_and_json_reports_carry_them(tmp_path: Path, result: ExperimentResult) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text("def test_some(): pass\n")
    (tmp_path / "result.json").write_text(result.model_dump_json())
    options = ["--junitxml=junit.xml", "--json-report", "--json-report-file=report.json"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:llem", "-p", "no:cacheprovider"]
    subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    in_xml = {
        element.attrib["name"]: element.attrib["value"]
        for element in ET.parse(tmp_path / "junit.xml").iter("property")  # noqa: S314 -- our own file
    }
    in_json = {}
    for properties in json.loads((tmp_path / "report.json").read_text())["tests"][0][
        "user_properties"
    ]:
        in_json.update(properties)
    expected = dict(user_properties(result, []))
    assert in_json == expected
    assert in_xml == {name: str(value) for name, value in expected.items()}
