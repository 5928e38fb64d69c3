"""Experiments among the plugins that people have installed, all of them at once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from instruments.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = """
import os, pathlib, time

import pytest

import measured_code

@pytest.mark.parametrize("n", range(2))
def test_passes(energy, n):
    assert measured_code.twice(n) == 2 * n

def test_fails(energy): assert 0

def test_crashes(energy): os._exit(3)

@pytest.mark.timeout(1)
def test_is_too_slow(energy):
    time.sleep(30)

@pytest.mark.flaky(reruns=1)
def test_is_flaky(energy):
    marker = pathlib.Path("tried")
    tried = marker.exists()
    marker.touch()
    assert tried

def test_plain(): pass
"""
OUTCOMES = {
    "test_passes[0]": "passed",
    "test_passes[1]": "passed",
    "test_fails": "failed",
    "test_crashes": "failed",
    "test_is_too_slow": "failed",
    "test_is_flaky": "passed",
    "test_plain": "passed",
}


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "workers"])
def test_all_plugins_at_once(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    launcher: str,
    workers: list[str],
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")
    for name in ("xdist", "pytest_cov", "pytest_timeout", "pytest_randomly", "pytest_jsonreport"):
        pytest.importorskip(name)
    pytester.makepyfile(test_it=SOURCE, measured_code="def twice(n):\n    return 2 * n\n")
    result = pytester.runpytest_subprocess(
        *workers,
        *("-p", "randomly", "--randomly-seed=5"),
        *("--cov=measured_code", "--cov-report=json:coverage.json"),
        *("--timeout=60", "--junitxml=junit.xml", "--json-report", "--report-log=log.jsonl"),
        *("--json-report-file=report.json", f"--llem-isolation={launcher}"),
    )
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "exited before finishing, with status 3 (during call)" in text
    found = Counter(dict(in_junit(pytester.path)).items())
    assert found == Counter(OUTCOMES.items())
    assert "Timeout (>1.0s) from pytest-timeout" in text
    assert in_json_report(pytester.path) == {**OUTCOMES, "test_is_flaky": "rerun"}
    assert in_report_log(pytester.path).keys() == OUTCOMES.keys()
    assert (pytester.path / "coverage.json").exists()
    assert isolations(pytester.path) == {launcher}


def test_of_a_test_that_is_run_again_only_the_last_attempt_counts(
    pytester: pytest.Pytester, launcher: str
) -> None:
    pytester.makepyfile(
        test_it="""
        import pathlib, time

        def test_is_flaky(energy):
            tried = pathlib.Path("tried")
            first = not tried.exists()
            tried.touch()
            energy.measure(lambda: time.sleep(0.05 if first else 0.01))
            energy.record("attempt", 1 if first else 2)
            assert not first
        """
    )
    result = pytester.runpytest_subprocess(
        *QUICK, "--reruns=1", "--junitxml=junit.xml", f"--llem-isolation={launcher}"
    )
    result.assert_outcomes(passed=1)
    (file,) = pytester.path.glob(".llem/runs/*/results/*.json")
    stored = json.loads(file.read_text())
    assert len(stored["measurements"]) == 1
    assert stored["measurements"][0]["duration_s"] < 0.05
    assert [one["value"] for one in stored["recorded"]] == [2]
    *_, case = ET.parse(pytester.path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own
    named = [one.get("name") for one in case.iter("property")]
    assert len(named) == len(set(named))


def isolations(path: Path) -> set[str]:
    files = path.glob(".llem/runs/*/results/*.json")
    return {json.loads(file.read_text())["isolation"] for file in files}


def in_junit(path: Path) -> Iterator[tuple[str, str]]:
    for case in ET.parse(path / "junit.xml").getroot().iter("testcase"):  # noqa: S314 - our own
        broken = case.find("failure") is not None or case.find("error") is not None
        yield str(case.get("name")), "failed" if broken else "passed"


def in_json_report(path: Path) -> dict[str, str]:
    tests = json.loads((path / "report.json").read_text())["tests"]
    return {test["nodeid"].partition("::")[2]: test["outcome"] for test in tests}


def in_report_log(path: Path) -> dict[str, str]:
    lines = map(json.loads, (path / "log.jsonl").read_text().splitlines())
    calls = (line for line in lines if line.get("when") == "call")
    return {line["nodeid"].partition("::")[2]: line["outcome"] for line in calls}
