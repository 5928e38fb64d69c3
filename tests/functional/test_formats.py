"""Metrics and verdicts in the files of other tools, as a run with workers leaves them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from junitparser import JUnitXml, Properties

from instruments.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]

EXPERIMENTS = """
import time
import pytest

@pytest.mark.parametrize("naps", [1, 2])
def test_naps(energy, naps):
    energy.measure(lambda: time.sleep(0.01))
    energy.measure(lambda: time.sleep(0.01), name="odd\\x01 <\\"&>\\n")

def test_wrong(energy):
    energy.measure(lambda: time.sleep(0.01))
    assert False

def test_plain(): pass
"""
XUNIT2 = Path(__file__).parents[1] / "data" / "junit-10.xsd"
"""Of Jenkins' xUnit plugin, which pytest's family ``xunit2`` follows (MIT licence, in the file)."""
NAMES = {"test_naps[1]", "test_naps[2]", "test_wrong"}
GATE = ("--llem-gate=duration_s:900%",)
FILES = ("json:it.json", "csv:it.csv", "parquet:it.parquet", "prometheus:it.prom")
FILES += ("pytest-benchmark:it.bench", "github-smaller:small.json", "github-bigger:big.json")


@pytest.fixture(params=[[], ["-n2"]], ids=["alone", "workers"])
def workers(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


def told(properties: dict[str, Any]) -> None:
    """Whether a test's *properties* have what was measured and what was said of it."""
    assert float(properties["llem.energy_j"]) > 0
    assert properties["llem.estimated"] == "true"
    assert properties["llem.verdict"] in {"new", "incomparable"}
    assert properties["llem.duration_s.explanation"]


def in_junit() -> dict[str, dict[str, Any]]:
    cases = (case for suite in JUnitXml.fromfile("junit.xml") for case in suite)
    return {
        case.name: {one.name: one.value for each in case.iterchildren(Properties) for one in each}
        for case in cases
    }


def in_json_report() -> dict[str, dict[str, Any]]:
    tests = json.loads(Path("report.json").read_text(encoding="utf-8"))["tests"]
    return {
        test["nodeid"].partition("::")[2]: {
            name: value for one in test.get("user_properties", ()) for name, value in one.items()
        }
        for test in tests
    }


def in_report_log() -> dict[str, dict[str, Any]]:
    lines = map(json.loads, Path("log.jsonl").read_text(encoding="utf-8").splitlines())
    calls = (line for line in lines if line.get("when") == "call")
    return {line["nodeid"].partition("::")[2]: dict(line["user_properties"]) for line in calls}


def test_each_test_has_its_metrics_and_its_verdict(run: Run, workers: Sequence[str]) -> None:
    files = ("--junitxml=junit.xml", "--json-report", "--json-report-file=report.json")
    finished = run(EXPERIMENTS, *QUICK, *GATE, *workers, *files, "--report-log=log.jsonl")
    finished.assert_outcomes(passed=3, failed=1)
    for found in (in_junit(), in_json_report(), in_report_log()):
        assert found.keys() == {*NAMES, "test_plain"}
        assert not found.pop("test_plain")
        for properties in found.values():
            told(properties)
    assert 'llem.odd#x01 <"&>\n.energy_j' in in_junit()["test_naps[1]"]


def test_junit_is_what_jenkins_expects_but_for_the_properties_of_tests(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, *GATE, "--junitxml=junit.xml")
    tree = ET.parse("junit.xml")  # noqa: S314 - our own file
    schema = xmlschema.XMLSchema(str(XUNIT2))
    for error in schema.iter_errors(tree.getroot()):
        assert "'properties'" in str(error.reason)
    for case in tree.getroot().iter("testcase"):
        for properties in case.findall("properties"):
            case.remove(properties)
    assert not list(schema.iter_errors(tree.getroot()))


def test_every_format_is_written_at_once_and_again_from_the_stored_run(run: Run) -> None:
    finished = run(EXPERIMENTS, *QUICK, *GATE, "-n2", *(f"--llem-export={f}" for f in FILES))
    finished.stdout.no_fnmatch_line("*cannot write*")
    names = [file.partition(":")[2] for file in FILES]
    first = {name: Path(name).read_bytes() for name in names}
    (folder,) = (path for path in Path(".llem/runs").iterdir() if path.is_dir())
    command = [sys.executable, "-m", "pytest_llem", "runs", "export", folder.name[:-3], *FILES]
    subprocess.run(command, check=True)
    for name in names:
        assert Path(name).read_bytes() == first[name], name
    summary = json.loads(first["it.json"])
    assert [one["label"] for one in summary["experiments"]] == ["1", "2", ""]
    assert [one["outcome"] for one in summary["experiments"]] == ["passed", "passed", "failed"]
    assert not [name for name in Path().iterdir() if name.suffix == ".tmp"]


def test_what_cannot_be_replaced_is_written_to(run: Run) -> None:
    os.mkfifo("pipe")
    Path("stdout").symlink_to("/proc/self/fd/1")  # as /dev/stdout is
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    asked = ("--llem-export=json:pipe", "--llem-export=github-smaller:stdout")
    with os.fdopen(reader, "rb") as file:
        finished = run(EXPERIMENTS, *QUICK, "-k", "naps and 1", *asked)
        assert len(json.loads(file.read())["experiments"]) == 1
    assert Path("pipe").is_fifo()
    assert Path("stdout").is_symlink()
    finished.stdout.fnmatch_lines(['*"unit": "s",'])


def test_where_no_experiment_ran_files_of_before_are_not_taken_for_this_runs(run: Run) -> None:
    Path("it.json").write_text("old")
    finished = run(EXPERIMENTS, "-k", "plain", "--llem-export=json:it.json", "--llem-html=it.html")
    assert finished.ret == pytest.ExitCode.OK
    finished.stdout.fnmatch_lines(
        ["llem: no experiment ran, so nothing was written to json:it.json, it.html"]
    )
    assert Path("it.json").read_text() == "old"
    listed = run(EXPERIMENTS, "--collect-only", "--llem-export=json:it.json")
    listed.stdout.no_fnmatch_line("*nothing was written*")


def test_a_run_over_an_empty_parameter_has_come_to_its_end(run: Run) -> None:
    source = """
    import pytest

    @pytest.mark.parametrize("prompt", ["", "a"])
    def test_says(energy, prompt):
        energy.measure(lambda: None)
    """
    run(source, *QUICK, "--llem-export=json:it.json")
    summary = json.loads(Path("it.json").read_text(encoding="utf-8"))
    assert summary["run"]["state"] == "finished"
    assert [one["name"] for one in summary["experiments"]] == [
        "test_it.py::test_says[]",
        "test_it.py::test_says[a]",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("prometeus:it.prom", "Did you mean 'prometheus'?"),
        ("otel:here", "otel writes no file. Write otel alone."),
        ("parquet", "Write NAME:PATH, such as csv:results.csv."),
        ("json:.", "is a directory"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(run: Run, asked: str, said: str) -> None:
    finished = run(EXPERIMENTS, f"--llem-export={asked}")
    assert finished.ret == pytest.ExitCode.USAGE_ERROR
    finished.stderr.fnmatch_lines([f"*{said}*"])
    assert not Path(".llem").exists()


def test_an_endpoint_that_is_not_there_fails_no_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    finished = run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-export=otel")
    assert finished.ret == pytest.ExitCode.OK
    finished.stdout.fnmatch_lines(["llem: otel export: *did not take the metrics*"])
