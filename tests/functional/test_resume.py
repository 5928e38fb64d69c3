"""Runs that are taken up again after they were killed or interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
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


def manifest() -> dict[str, object]:
    (path,) = Path().glob(".llem/runs/*/manifest.json")
    content: dict[str, object] = json.loads(path.read_text())
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
    in_use = pytester.runpytest_subprocess(*how, "--llem-resume")
    assert f"in use by process {process.pid}" in refused(in_use)
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


def test_a_baseline_and_gates_have_the_whole_family(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace('if name == "b"', 'if name == "never"').replace("abcd", "abc")
    monkeypatch.setenv("STOP", "c")
    options = (SERVER, "--llem-update-baselines", "--llem-repeats=2")
    assert run(source, *options, "--llem-shuffle=5").ret == pytest.ExitCode.INTERRUPTED
    monkeypatch.setenv("STOP", "a")
    monkeypatch.setenv("AT", "2")
    assert (
        run(source, *options, "--llem-resume").ret == pytest.ExitCode.INTERRUPTED
    )  # and once more
    monkeypatch.delenv("STOP")
    result = run(source, *options[:2], "--llem-resume")
    result.assert_outcomes(passed=3)
    assert sorted(order()) == sorted("aabbcc" + "ca")  # two of them had not finished
    assert manifest()["shuffle_seed"] == 5
    (file,) = pytester.path.glob("baselines/**/*.json")
    for entry in json.loads(file.read_text())["entries"].values():
        (session,) = entry["sessions"]
        (processes,) = session["measurements"].values()
        assert [process["repeat"] for process in processes] == [0, 1]
    assert manifest()["repeats"] == 2
    Path("order").unlink()
    gates = ("--llem-gate=energy_per_output_token_j:900%", "--junitxml=junit.xml")
    (path,) = Path().glob(".llem/runs/*")
    judged = run(source, f"--llem-resume={path.name}", *gates, SERVER)
    judged.assert_outcomes(passed=3)
    assert not Path("order").exists()
    assert manifest()["verdicts"] == {"pass": 3}
    shown = subprocess.run(
        [sys.executable, "-m", "pytest_llem", "runs", "show"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "finished, 3 experiments" in shown
    assert "3 pass" in shown


def test_repeats_of_a_finished_run_are_topped_up(run: Run) -> None:
    run(PLAIN, SERVER).assert_outcomes(passed=2, skipped=1)
    (path,) = Path().glob(".llem/runs/*")
    result = run(PLAIN, f"--llem-resume={path}", "--llem-repeats=3", SERVER)
    result.assert_outcomes(passed=2, skipped=1)
    assert order() == ["a", "b", "c", "a", "b", "a", "b"]
    assert manifest()["repeats"] == 3
    result.stdout.fnmatch_lines(["llem: 1 of 3 experiments have finished, 5 of 9 processes"])


def test_a_part_of_the_run_can_go_on_and_the_rest_later(interrupted: Run) -> None:
    selected = ("test_it.py::test_it[a]", "test_it.py::test_it[b]")
    result = interrupted(*selected, "--llem-resume")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["llem: 1 of 2 experiments have finished; 1 more of the run *"])
    assert manifest()["state"] == "interrupted"
    interrupted("--llem-resume").assert_outcomes(passed=2, skipped=1)
    assert manifest()["state"] == "finished"
    assert order() == ["a", "b", "b", "c"]


def test_workers_go_on_together(interrupted: Run) -> None:
    pytest.importorskip("xdist")
    result = interrupted(
        "--llem-resume", "-n2", "-v", "--llem-resume-anyway", "--llem-allow-shared"
    )
    result.assert_outcomes(passed=2, skipped=1)
    assert sorted(order()) == ["a", "b", "b", "c"]
    result.stdout.fnmatch_lines(["*PASSED (resumed)*"])
    content = manifest()
    assert content["state"] == "finished"
    (again,) = content["resumptions"]  # type: ignore[misc]
    assert [one["field"] for one in again["drift"]] == ["settings.allow_shared"]
    assert "--llem-resume" in again["command"]


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_what_drifted_is_said_and_refused(
    interrupted: Run, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    before = manifest()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    text = refused(interrupted("--llem-resume", "--llem-set=measurement.windows=7", *workers))
    assert "test_it.py::test_it[a]: measurement.windows: 5 → 7" in text
    assert "environment.threads: none → 1" in text
    assert "--llem-resume-anyway" in text
    assert "The run was begun with: pytest --basetemp=" in text
    assert order() == ["a", "b"]
    assert manifest() == before


def test_a_changed_test_file_is_drift_and_may_be_accepted(interrupted: Run, run: Run) -> None:
    changed = PLAIN.replace('list("abc")', 'list("abd")')
    text = refused(run(changed, "--llem-resume"))
    assert "file.test_it.py: " in text
    assert "test_it.py::test_it[d]: none → not of this run" in text
    run(changed, "--llem-resume", "--llem-resume-anyway").assert_outcomes(passed=3)
    assert order() == ["a", "b", "b", "d"]
    assert manifest()["state"] == "interrupted"  # of c nobody knows


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--llem-resume=nothing", "'nothing' is no run"),
        ("--llem-resume=2", "no run to resume"),
        ("--llem-resume=.", "is no run of pytest-llem"),
    ],
)
def test_a_run_that_is_not_there_is_said(run: Run, option: str, expected: str) -> None:
    text = refused(run(PLAIN, option.replace("=2", "")))
    assert expected in text
    assert not Path("order").exists()


def test_a_run_of_another_project_is_refused_whatever_is_accepted(
    interrupted: Run, pytester: pytest.Pytester
) -> None:
    Path("test_it.py").unlink()
    pytester.makepyfile(test_other="def test_other(energy): pass")
    command = ("-p", "no:randomly", "--llem-resume-anyway", "test_other.py", "--llem-resume")
    text = refused(pytester.runpytest_subprocess(*command))
    assert "planned none of the experiments that were collected here" in text


def test_a_newer_manifest_and_a_damaged_one_are_passed_over_with_a_reason(
    interrupted: Run,
) -> None:
    (path,) = Path().glob(".llem/runs/*/manifest.json")
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    assert "was written by a newer pytest-llem" in refused(interrupted("--llem-resume"))
    assert "newer pytest-llem" in refused(interrupted(f"--llem-resume={path.parent.name}"))
    path.write_text("{")
    assert "manifest.json is corrupt" in refused(interrupted("--llem-resume"))


def test_what_is_damaged_runs_again_and_a_journal_is_not_needed(interrupted: Run) -> None:
    (path,) = Path().glob(".llem/runs/*")
    (path / "journal.jsonl").write_bytes(b"\xff\x00nonsense\n{}\n")
    (result,) = path.glob("results/*.json")
    result.write_text("{")
    again = interrupted("--llem-resume")
    again.assert_outcomes(passed=2, skipped=1, warnings=1)
    assert "Its experiment runs again" in said(again)
    assert order() == ["a", "b", "a", "b", "c"]


def test_reports_that_were_not_kept_are_made_up_from_the_result(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PLAIN.replace('list("abc")', 'list("cadb")') + '    assert name != "d", "d broke"\n'
    monkeypatch.setenv("STOP", "b")
    run(source, SERVER)
    monkeypatch.delenv("STOP")
    for file in Path().glob(".llem/runs/*/reports/*"):
        file.unlink()
    result = run(source, "--llem-resume", "-rs", SERVER)
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*AssertionError: d broke*", "SKIPPED*no c"])
    assert order() == ["c", "a", "d", "b", "b"]


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


def test_spawned_processes_are_taken_up_like_others(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOP", "b")
    run(PLAIN, "--llem-isolation=spawn")
    monkeypatch.delenv("STOP")
    result = run(PLAIN, "--llem-isolation=spawn", "--llem-resume")
    result.assert_outcomes(passed=2, skipped=1)
    assert order() == ["a", "b", "b", "c"]


def test_what_a_run_keeps_is_all_that_is_documented(interrupted: Run) -> None:
    interrupted("--llem-resume")
    (path,) = Path().glob(".llem/runs/*")
    assert sorted(one.name for one in path.iterdir()) == [
        "environment.json",
        "journal.jsonl",
        "manifest.json",
        "raw",
        "reports",
        "results",
        "verdicts.json",
    ]
    assert len(list(RunStore.open(path).results())) == 3
