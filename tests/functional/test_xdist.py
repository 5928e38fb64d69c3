"""Workers of pytest-xdist: one family, one run, one report, also when workers die."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from instruments.quick import QUICK
from instruments.stored_runs import run_like
from pytest_llem import RunSettings
from pytest_llem.baselines.pooling import by_experiment
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.results.store import RunStore
from pytest_llem.runs.baselines_here import accept_baselines
from pytest_llem.runs.gatekeeper import Gatekeeper

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

HERE = (*QUICK, "--llem-isolation=none")
"""Without processes, for tests that only look at what becomes of reports."""
GATE = "--llem-gate=duration_s:25%"
NAMES = """
import pytest

@pytest.mark.parametrize("name", list("abcd"))
def test_it(energy, name):
    if name == "a":
        energy.measure(lambda: sum(range(1000)))
"""


def said(result: pytest.RunResult) -> str:
    """All that was said, as one line."""
    return " ".join(f"{result.stdout.str()} {result.stderr.str()}".split())


def verdicts(run: Path) -> list[dict[str, Any]]:
    """What was kept of each experiment's judgement, whatever the order it was told in."""
    kept = json.loads((run / "verdicts.json").read_text())["experiments"]
    return sorted(kept, key=lambda one: str(one["result"]))


def manifest() -> dict[str, Any]:
    """That of the one run there is."""
    content: dict[str, Any] = json.loads((the_run().path / "manifest.json").read_text())
    return content


def the_run() -> RunStore:
    """The one run there is."""
    (file,) = Path(".llem/runs").glob("*/manifest.json")
    return RunStore.open(file.parent)


def test_workers_judge_as_one_process_does_and_find_what_only_the_family_shows(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(NAMES, *HERE).assert_outcomes(passed=4)
    template = the_run()
    accept_baselines(run_like(template, Path(".llem"), 4, 1, {}), "they are the first")
    candidate = run_like(template, Path(".llem"), 4, 2, {"a": 1.68})
    each = list(by_experiment(RunStore.open(candidate).results()).values())
    (slow,) = (one for one in each if one[0].label == "a")
    settings = RunSettings(pytester.path, Path(".llem"), Path("baselines"))
    alone = Gatekeeper(settings, template.environment(), {}, family_size=4)
    alone.rules[slow[0].node_id or ""] = parse_rules(["duration_s:25%"])
    alone.take(slow)
    (early,) = alone.judge([slow[0].experiment_id])[slow[0].experiment_id]
    assert (early.verdict, early.final) == ("inconclusive", False)
    settled = []
    for arriving in (each, each[::-1]):
        keeper = Gatekeeper(settings, template.environment(), {}, family_size=4)
        for one in arriving:
            keeper.rules[one[0].node_id or ""] = parse_rules(["duration_s:25%"])
            keeper.take(one)
        settled.append(keeper.settle())
    assert settled[0] == settled[1]
    found = []
    for workers in ("-n0", "-n2"):
        told = (f"--llem-resume={candidate.name}", "--llem-resume-anyway", "--llem-allow-shared")
        result = run(NAMES, workers, GATE, *told, "--llem-repeats=4", "--llem-meter=estimate")
        result.assert_outcomes(passed=3, failed=1)
        assert "FAILED test_it.py::test_it[a] - energy gate not passed" in said(result)
        assert said(result).count("ESTIMATED by meter estimate") == 1  # the header
        found.append(verdicts(candidate))
    assert found[0] == found[1]
    assert [one["judgements"][0]["verdict"] for one in found[0]].count("regressed") == 1


UNDECIDED = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

judge, settle = Gatekeeper.judge, Gatekeeper.settle

def changed(found, **fields):
    return {name: [replace(one, **fields) for one in each] for name, each in found.items()}

def undecided(self, names):
    return changed(judge(self, names), verdict="inconclusive", final=False)

def decided(self):
    assert len(self._family) == self._family_size == 4
    return changed(settle(self), verdict="regressed")

Gatekeeper.judge, Gatekeeper.settle = undecided, decided

def pytest_llem_result(result):
    with open("results", "a") as file:
        file.write(result.label)

def pytest_llem_report(results):
    return [f"reported once: {len(results)}"]
"""


def test_every_report_sees_the_final_outcome_once(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(UNDECIDED)
    grouped = NAMES.replace("@pytest", "@pytest.mark.xdist_group('g')\n@pytest", 1)
    source = grouped + "\ndef test_plain(): pass\n"
    files = ("--junitxml=junit.xml", "--json-report", "--json-report-file=report.json")
    result = run(source, *HERE, "-n2", "--dist=loadgroup", GATE, *files, "--report-log=log.jsonl")
    result.assert_outcomes(passed=1, failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert said(result).count("reported once: 4") == 1
    assert sorted(Path("results").read_text()) == list("abcd")
    suite = next(ET.parse("junit.xml").getroot().iter("testsuite"))  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "4", "0")
    report = json.loads(Path("report.json").read_text())
    assert Counter(one["outcome"] for one in report["tests"]) == {"failed": 4, "passed": 1}
    log = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    calls = [one for one in log if one.get("when") == "call"]
    assert Counter(one["outcome"] for one in calls) == {"failed": 4, "passed": 1}
    assert not any("llem_process" in one for one in log)
    failed = json.loads(Path(".pytest_cache/v/cache/lastfailed").read_text())
    assert sorted(failed) == [f"test_it.py::test_it[{name}]" for name in "abcd"]
    assert manifest()["state"] == "finished"
    assert manifest()["verdicts"] == {"regressed": 4}


LOOKS = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

settle = Gatekeeper.settle

def by_count(self):
    return {name: [told(self, name, one) for one in each] for name, each in settle(self).items()}

def told(self, name, judgement):
    needed = {"a": 2, "b": 3}[self._taken[name][0].label]
    if len(self._taken[name]) < needed:
        return replace(judgement, verdict="inconclusive", undecided=True)
    return replace(judgement, verdict="regressed" if needed == 3 else "pass", undecided=False)

Gatekeeper.settle = by_count
"""


def test_processes_are_added_until_the_family_is_decided(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(LOOKS)
    looks = ("--llem-repeats=2", "--llem-max-repeats=4", "--llem-gate=duration_s:5%")
    result = run(
        NAMES.replace("abcd", "ab"),
        *QUICK,
        "-n2",
        "--dist=worksteal",
        *looks,
        "--llem-log=log.jsonl",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert Counter(one.label for one in the_run().results()) == {"a": 2, "b": 3}
    assert "5 processes for 2 experiments, 3 fewer than 4 each" in said(result)
    assert "round 1 of 2 is done" in said(result)
    log = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    added = [
        (len(one["experiments"]), one["processes"])
        for one in log
        if one["event"] == "repeats_added"
    ]
    assert added == [(1, 3)]
    judged = [one["experiment_id"] for one in log if one["event"] == "experiment_judged"]
    assert len(judged) == len(set(judged)) == 2


DIES = """
import os, pathlib, signal, pytest

def pytest_configure(config):
    if hasattr(config, "workerinput"):  # its children have the same variable, and leave it
        os.environ.setdefault("LLEM_TEST_WORKER", str(os.getpid()))

@pytest.fixture
def dies():
    def dies(name, times):
        with open(f"ran-{name}", "a") as file:
            file.write("x")
        if os.path.getsize(f"ran-{name}") == times:
            os.kill(int(os.environ["LLEM_TEST_WORKER"]), signal.SIGKILL)
    return dies
"""
FILES = ("--junitxml=junit.xml", "--llem-html=report.html")
DYING = """
import pytest

@pytest.mark.parametrize("name", list("abcd"))
def test_it(energy, dies, name):
    if name == "b":
        dies(name, TIMES)
    if name == "a":
        energy.measure(lambda: sum(range(1000)))
"""


def test_what_a_dying_worker_had_finished_is_judged_and_the_rest_runs_elsewhere(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(DIES)
    source = DYING.replace("TIMES", "1")
    result = run(source, *HERE, "-n2", GATE, "--llem-strict", *FILES)
    result.assert_outcomes(failed=4)  # b, which was lost, and three that have no baseline
    text = said(result)
    assert re.search(r"worker 'gw\d' crashed while running 'test_it.py::test_it\[b\]'", text)
    assert re.search(r"llem: worker 'gw\d' died while it ran 'test_it.py::test_it\[b\]' \(", text)
    missing = "INCOMPLETE: 1 of 4 experiments did not finish: test_it.py::test_it[b]."
    assert f"llem: {missing} --llem-resume goes on with it." in text
    assert missing in Path("report.html").read_text(encoding="utf-8")
    assert text.count("ESTIMATED by meter estimate") == 1
    cases = list(ET.parse("junit.xml").getroot().iter("testcase"))  # noqa: S314 - our own
    assert len(cases) == 4
    assert manifest()["state"] == "interrupted"
    assert manifest()["verdicts"] == {"incomparable": 2, "new": 1}


def test_no_restart_leaves_what_was_not_begun_and_tells_what_was(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(DIES)
    result = run(
        DYING.replace("TIMES", "1"), *HERE, "-n1", "--dist=loadfile", "--max-worker-restart=0"
    )
    result.assert_outcomes(passed=1, failed=1)
    text = said(result)
    assert "worker gw0 crashed and worker restarting disabled" in text
    assert "llem: INCOMPLETE: 3 of 4 experiments did not finish: test_it.py::test_it[b], " in text
    assert manifest()["state"] == "interrupted"


def test_a_worker_that_dies_in_a_later_round_fails_what_it_ran(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(DIES)
    source = DYING.replace("TIMES", "2").replace("abcd", "ab")
    spawned = (*QUICK, "--llem-isolation=spawn", "--llem-repeats=2")
    result = run(source, *spawned, "-n2", "--max-worker-restart=0")
    result.assert_outcomes(passed=1, failed=1)
    text = said(result)
    lost = r"process 2 of 2 of 'test_it.py::test_it\[b\]'"
    assert re.search(rf"worker 'gw\d' crashed while running {lost}", text)
    assert re.search(rf"llem: worker 'gw\d' died while it ran {lost}", text)
    assert "INCOMPLETE: 1 of 2 experiments did not finish: test_it.py::test_it[b]." in text
    assert Counter(one.label for one in the_run().results()) == {"a": 2, "b": 1}


CLEAR = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

judge = Gatekeeper.judge

def clear(self, names):
    found = judge(self, names)
    return {name: [replace(one, verdict="regressed") for one in each] for name, each in found.items()}

Gatekeeper.judge = clear
"""


def test_a_clear_regression_stops_all_workers(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CLEAR)
    source = NAMES.replace('list("abcd")', "range(12)")
    result = run(source, *HERE, "-n2", "-x", GATE)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "stopping after 1 failures" in said(result)
    assert len(list(the_run().results())) < 8
    assert manifest()["state"] == "interrupted"


def test_every_worker_running_everything_has_no_gates(run: Run) -> None:
    result = run(NAMES, *HERE, "-n2", "--dist=each", GATE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--dist=each runs every experiment in every worker" in said(result)
    assert not Path(".llem").exists()
