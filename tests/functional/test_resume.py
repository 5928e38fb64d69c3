"""Runs that are taken up again after they were killed or interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from pytest_llem.results.store import RunStore
from pytest_llem.results.transitions import read_journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.transitions import Transition

    Run = Callable[..., pytest.RunResult]

QUICK = '{"windows": 2, "window_s": 0.05, "warmup_min_s": 0, "warmup_max_s": 0.1}'
SOURCE = f"""
import os, pathlib, time
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("name", list("abcd"))
def test_it(energy, name, record_property):
    with open("order", "a") as file:
        file.write(name + "\\n")
    ran = pathlib.Path("order").read_text().split().count(name)
    record_property("mine", name)
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
    if name == "b":
        print("said before it broke")
        assert name == "z", "b broke"
    if name == "c" and os.environ.get("STOP") == "hang":
        pathlib.Path("hangs").touch()
        time.sleep(600)
    if name == os.environ.get("STOP") and ran == int(os.environ.get("AT", "1")):
        raise KeyboardInterrupt
"""
SERVER = "--llem-isolation=fork-server"
PLAIN = """
import os, pathlib
import pytest

@pytest.mark.parametrize("name", list("abc"))
def test_it(energy, name):
    with open("order", "a") as file:
        file.write(name + "\\n")
    if name == os.environ.get("STOP"):
        raise KeyboardInterrupt
    if name == "c":
        pytest.skip("no c")
"""


@pytest.fixture
def isolation() -> str:
    """In this process, where processes of their own make no difference; the last option wins."""
    return "none"


def order() -> list[str]:
    return Path("order").read_text().split()


def manifest() -> dict[str, Any]:
    (path,) = Path().glob(".llem/runs/*/manifest.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def said(result: pytest.RunResult) -> str:
    return " ".join((result.stdout.str() + result.stderr.str()).split())


def refused(result: pytest.RunResult) -> str:
    text = said(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    return text


@pytest.fixture
def interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that Ctrl-C ended in its second experiment; the same command with other options."""
    monkeypatch.setenv("STOP", "b")
    assert run(PLAIN).ret == pytest.ExitCode.INTERRUPTED
    monkeypatch.delenv("STOP")
    assert manifest()["state"] == "interrupted"

    def again(*options: str) -> pytest.RunResult:
        return run(PLAIN, *options)

    return again


def test_a_killed_run_goes_on_where_it_was_and_reports_everything(
    pytester: pytest.Pytester, launcher: str
) -> None:
    pytester.makepyfile(test_it=SOURCE)
    how = ["-p", "no:randomly", f"--llem-isolation={launcher}", "--llem-meter=estimate"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *how],
        env={**os.environ, "STOP": "hang"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    while not Path("hangs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL

    result = pytester.runpytest_subprocess(*how, "--llem-resume", "-v", "--junitxml=junit.xml")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "llem: resuming run *",
            "llem: 2 of 4 experiments have finished",
            "*test_it[[]a[]] PASSED (resumed)*",
            "*test_it[[]b[]] FAILED*",
            "*test_it[[]c[]] PASSED *",
            "*assert name == *",
            "*said before it broke*",
            "llem: 2 experiments reported as they had ended*",
        ]
    )
    assert order() == ["a", "b", "c", "c", "d"]
    cases = list(ET.parse("junit.xml").getroot().iter("testcase"))  # noqa: S314 - our own file
    properties = [{p.get("name"): p.get("value") for p in one.iter("property")} for one in cases]
    assert [one["mine"] for one in properties] == list("abcd")
    assert [one.get("llem.resumed") for one in properties] == ["true", "true", None, None]
    content = manifest()
    assert content["state"] == "finished"
    assert content["counts"] == {"failed": 1, "passed": 3}
    assert content["verdicts"] == {"failed": 1, "measured": 3}
    (path,) = Path().glob(".llem/runs/*")
    attempts = [one.attempt for one in _transitions(path) if one.state == "finished"]
    assert attempts == [1, 1, 2, 1]


def _transitions(path: Path) -> list[Transition]:
    return list(read_journal(path / "journal.jsonl").transitions)


def test_repeats_are_topped_up_and_baseline_and_gates_have_the_whole_family(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace('if name == "b"', 'if name == "never"').replace("abcd", "ab")
    options = (SERVER, "--llem-update-baselines", "--llem-repeats=2")
    monkeypatch.setenv("STOP", "b")
    assert run(source, *options, "--llem-shuffle=4").ret == pytest.ExitCode.INTERRUPTED
    monkeypatch.setenv("STOP", "a")
    monkeypatch.setenv("AT", "2")
    assert run(source, *options, "--llem-resume").ret == pytest.ExitCode.INTERRUPTED  # once more
    monkeypatch.delenv("STOP")
    run(source, *options[:2], "--llem-resume").assert_outcomes(passed=2)
    assert order().count("b") + order().count("a") == 6  # two of them had not finished
    assert manifest()["shuffle_seed"] == 4
    (file,) = pytester.path.glob("baselines/**/*.json")
    for entry in json.loads(file.read_text())["entries"].values():
        (session,) = entry["sessions"]
        (processes,) = session["measurements"].values()
        assert [process["repeat"] for process in processes] == [0, 1]
    Path("order").unlink()
    (path,) = Path().glob(".llem/runs/*")
    gate = "--llem-gate=energy_per_output_token_j:900%"
    more = run(source, f"--llem-resume={path.name}", "--llem-repeats=3", gate, SERVER, "-v")
    more.assert_outcomes(passed=2)
    assert sorted(order()) == ["a", "b"]
    more.stdout.fnmatch_lines(["llem: 0 of 2 experiments have finished, 4 of 6 processes"])
    assert "3 processes against 2" in said(more)
    assert manifest()["verdicts"] == {"pass": 2}
    assert manifest()["repeats"] == 3


def test_a_part_of_the_run_can_go_on_and_workers_do_the_rest(interrupted: Run) -> None:
    result = interrupted("test_it.py::test_it[a]", "test_it.py::test_it[b]", "--llem-resume")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["llem: 1 of 2 experiments have finished; 1 more of the run *"])
    assert manifest()["state"] == "interrupted"
    workers = ("-n2", "--llem-resume-anyway", "--llem-allow-shared")
    result = interrupted("-v", *workers, "--llem-resume")
    result.assert_outcomes(passed=2, skipped=1)
    assert order() == ["a", "b", "b", "c"]
    result.stdout.fnmatch_lines(["*PASSED*(resumed)*"])
    content = manifest()
    assert content["state"] == "finished"
    again: list[dict[str, Any]] = content["resumptions"]
    assert [one["field"] for one in again[1]["drift"]] == ["settings.allow_shared"]
    assert "--llem-resume" in again[1]["command"]
    (path,) = Path().glob(".llem/runs/*")
    assert sorted(one.name for one in path.iterdir()) == [  # as documented
        "environment.json",
        "journal.jsonl",
        "manifest.json",
        "raw",
        "reports",
        "results",
        "verdicts.json",
    ]


def test_what_drifted_is_said_refused_and_may_be_accepted(
    interrupted: Run, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = manifest()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for workers in ((), ("-n2",)):
        text = refused(interrupted("--llem-resume", "--llem-set=measurement.windows=7", *workers))
        assert "test_it.py::test_it[a]: measurement.windows: 5 → 7" in text
        assert "environment.threads: none → 1" in text
        assert "--llem-resume-anyway" in text
        assert "The run was begun with: pytest --basetemp=" in text
        assert manifest() == before
    changed = PLAIN.replace('list("abc")', 'list("abd")')
    text = refused(run(changed, "--llem-resume"))
    assert "file.test_it.py: " in text
    assert "test_it.py::test_it[d]: none → not of this run" in text
    assert order() == ["a", "b"]
    run(changed, "--llem-resume", "--llem-resume-anyway").assert_outcomes(passed=3)
    assert order() == ["a", "b", "b", "d"]
    assert manifest()["state"] == "interrupted"  # of c nobody knows


def test_what_is_damaged_runs_again_and_missing_reports_are_made_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PLAIN.replace('list("abc")', 'list("cdab")') + '    assert name != "d", "d broke"\n'
    monkeypatch.setenv("STOP", "b")
    run(source)
    monkeypatch.delenv("STOP")
    (path,) = Path().glob(".llem/runs/*")
    (path / "journal.jsonl").write_bytes(b"\xff\x00nonsense\n{}\n")
    for file in path.glob("reports/*"):
        file.unlink()
    (result,) = (one for one in RunStore.open(path).entries() if one.result.label == "a")
    result.path.write_text("{")
    again = run(source, "-rs", "--llem-resume")
    again.assert_outcomes(passed=2, failed=1, skipped=1, warnings=1)
    again.stdout.fnmatch_lines(["*AssertionError: d broke*", "SKIPPED*no c"])
    assert "Its experiment runs again" in said(again)
    assert order() == ["c", "d", "a", "b", "a", "b"]


def test_a_run_that_is_not_there_is_said(run: Run) -> None:
    assert "no run to resume" in refused(run(PLAIN, "--llem-resume"))
    assert not Path("order").exists()


def test_a_run_that_is_deleted_meanwhile_ends_with_words(run: Run) -> None:
    source = PLAIN + (
        "    if name == 'b':\n"
        "        import shutil\n"
        "        (path,) = pathlib.Path().glob('.llem/runs/*')\n"
        "        shutil.rmtree(path)\n"
    )
    result = run(source)
    text = said(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert "If it was deleted while the run was going" in text
