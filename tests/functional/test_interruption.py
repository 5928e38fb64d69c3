"""Ctrl-C, and the end of the supervisor itself, whatever the experiment is doing."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = """
import os, pathlib, subprocess, time

import pytest

def here(phase):
    if os.environ["PHASE"] == phase:
        time.sleep(0.1)
        pathlib.Path("at").write_text(str(os.getpid()))
        if os.environ.get("DEAF"):
            import signal
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            pathlib.Path("deaf").touch()
        time.sleep(600)

def test_first(energy): pass

here("import" if "LLEM_EXPERIMENT" in os.environ else "collection")

@pytest.fixture
def loaded(energy):
    worker = subprocess.Popen(["sleep", "600"], start_new_session=True)
    pathlib.Path("worker").write_text(str(worker.pid))
    here("loading")
    yield
    here("teardown")

WARM_UP = {"warmup_min_s": 0, "warmup_max_s": 0.1, "windows": 3, "window_s": 0.05}

@pytest.mark.llem(measurement=WARM_UP)
def test_second(energy, loaded):
    passes = 0

    def work():
        nonlocal passes
        passes += 1
        time.sleep(0.01)
        if passes == 2:
            here("warm-up")
        if passes == 25:
            here("window")

    energy.measure(work, work={"output_tokens": 5})
    energy.measure(work, work={"output_tokens": 5}, name="again")
"""
WAITING = """
import os, pathlib, subprocess, time

import pytest

@pytest.mark.parametrize("number", range(2))
def test_it(energy, number):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    new = pathlib.Path(f"new-{number}")  # a forked one's parent is its host
    new.write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
    new.rename(f"pids-{number}")
    time.sleep(600)
"""
CONFTEST = """
import os, pathlib, time
import pytest_llem.runs.gatekeeper as gatekeeper

if os.environ["PHASE"] == "start" and "LLEM_EXPERIMENT" in os.environ:
    pathlib.Path("at").write_text(str(os.getpid()))
    time.sleep(600)

def slowly(*args, **kwargs):
    if args[0][0].measurement != "workload" or pathlib.Path("judged").exists():
        pathlib.Path("at").write_text(str(os.getpid()))
        time.sleep(600)
    pathlib.Path("judged").touch()
    return judge_in_helper(*args, **kwargs)

judge_in_helper = gatekeeper.judge_in_helper
if os.environ["PHASE"] == "gate":
    gatekeeper.judge_in_helper = slowly
"""
STARTING = ["start", "import"]
"""A conftest or test file hangs in a new process, which is the server or host of forked ones."""
CHILDREN = ["loading", "warm-up", "window", "teardown"]


class Interrupted:
    """A run that has come to the phase in which something is to happen to it."""

    def __init__(self, path: Path, launcher: str, phase: str, **environment: str) -> None:
        self.path = path
        self.launcher = launcher
        (path / "test_it.py").write_text(SOURCE)
        (path / "conftest.py").write_text(CONFTEST)
        isolation = f"--llem-isolation={launcher}"
        gate = ["--llem-gate=duration_s:5%"] if phase == "gate" else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:randomly", isolation, *gate],
            cwd=path,
            env={**os.environ, "PHASE": phase, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(lambda: self.pid() is not None)

    def pid(self) -> int | None:
        """The process that is in the phase."""
        marker = self.path / "at"
        text = marker.read_text() if marker.exists() else ""
        return int(text) if text else None

    def ended(self) -> str:
        """What the run printed; it and its processes are gone when this returns."""
        output, _ = self.process.communicate(timeout=60)
        pid = self.pid()
        assert pid is not None
        until(lambda: not lives(pid))
        if (self.path / "worker").exists():
            worker = int((self.path / "worker").read_text())
            until(lambda: not lives(worker))
        return output

    def finished(self) -> list[str]:
        """The tests of which a readable result is stored."""
        runs = list(self.path.glob(".llem/runs/*"))
        results = [result for run in runs for result in RunStore.open(run).results()]
        assert {result.isolation for result in results} <= {self.launcher}
        return [str(result.node_id).partition("::")[2] for result in results]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it never came so far")


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def stored_by(phase: str) -> list[str]:
    if phase in {"collection", *STARTING}:
        return []
    return ["test_first", "test_second"] if phase == "gate" else ["test_first"]


@pytest.mark.parametrize("phase", ["collection", *STARTING, *CHILDREN, "gate"])
def test_ctrl_c_ends_the_run_and_keeps_what_had_finished(
    tmp_path: Path, launcher: str, phase: str
) -> None:
    run = Interrupted(tmp_path, launcher, phase)
    run.process.send_signal(signal.SIGINT)
    output = run.ended()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    assert "INTERNALERROR" not in output
    assert sorted(run.finished()) == stored_by(phase)
    told = "INCOMPLETE: 1 of 2 experiments did not finish: test_it.py::test_second. --llem-resume"
    assert (told in " ".join(output.split())) == (len(stored_by(phase)) == 1)


@pytest.mark.parametrize("phase", [*STARTING, *CHILDREN])
def test_children_end_with_a_supervisor_that_is_killed(
    tmp_path: Path, launcher: str, phase: str
) -> None:
    run = Interrupted(tmp_path, launcher, phase)
    run.process.kill()
    run.ended()
    assert run.finished() == stored_by(phase)


def test_what_workers_started_ends_with_a_controller_that_is_killed(
    tmp_path: Path, launcher: str
) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(WAITING)
    options = ["-n2", "-p", "no:randomly", "--llem-allow-shared", f"--llem-isolation={launcher}"]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(list(tmp_path.glob("pids-*"))) == 2)
    run.kill()
    run.wait()
    pids = [int(pid) for file in tmp_path.glob("pids-*") for pid in file.read_text().split()]
    assert len(set(pids)) == 6
    until(lambda: not any(map(lives, pids)))


def test_a_second_ctrl_c_does_not_leave_a_deaf_child_behind(tmp_path: Path, launcher: str) -> None:
    run = Interrupted(tmp_path, launcher, "window", DEAF="1")
    until((tmp_path / "deaf").exists)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    run.process.send_signal(signal.SIGINT)
    run.ended()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert run.finished() == ["test_first"]


def test_the_debugger_has_a_terminal_to_talk_to(tmp_path: Path, launcher: str) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_fails(energy):\n    answer = 41\n    assert answer == 42\n"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "--pdb", "-p", "no:randomly"]
    process = subprocess.Popen(
        [*command, f"--llem-isolation={launcher}"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = read_until(ours, "(Pdb)")
    assert "assert 41 == 42" in said
    os.write(ours, b"p answer + 1000\n")
    assert "1041" in read_until(ours, "(Pdb)")
    os.write(ours, b"q\n")
    assert "1 failed" in read_until(ours, None)
    assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    os.close(ours)


def read_until(terminal: int, wanted: str | None) -> str:
    """What comes from a terminal until it says something, or until its end."""
    text = ""
    while wanted is None or wanted not in text:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, text
        try:
            text += os.read(terminal, 1 << 16).decode(errors="replace")
        except OSError:  # the end, as Linux tells it
            break
    return text
