"""Ends of experiments in containers, foreseen or not: what is told, and that nothing stays."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functional.test_interruption import read_until
from functional.test_isolation_faults import (
    FAULTS,
    floods_cost_the_supervisor_neither_memory_nor_disk,
)
from functional.test_isolation_faults import (
    Run as FaultyRun,
)
from instruments.boxes import IMAGE
from instruments.printed import text_of
from pytest_llem.isolation.container.owner import own_name
from pytest_llem.isolation.container.runtime import LABEL, OWNER_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.boxes import Boxed

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

CONTAINER = "--llem-isolation=container"
QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
HEAD = f"""
import os, signal, subprocess, sys, time
import pytest

quick = pytest.mark.llem(measurement={QUICK})
"""
PATIENCE_S = 60.0
SLOW = """#!/bin/sh
case "$2" in
    *container.init) touch starting; sleep 600;;
esac
exec {python} "$@"
"""
"""An interpreter that takes its time to become a child."""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV (during call)"),
        ("os.abort()", "killed by SIGABRT (during call)"),
        ("os._exit(7)", "exited before finishing, with status 7 (during call)"),
        ("os.kill(1, signal.SIGTERM); time.sleep(60)", "killed by SIGKILL (during call)"),
        ("time.sleep(600)", "timed out: the experiment took longer than 3 s"),
    ],
    ids=["SIGSEGV", "abort", "exit", "the container", "hang"],
)
def test_an_end_is_told_as_of_any_process(
    run: Run, pytester: pytest.Pytester, box: Boxed, body: str, said: str
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    timeout = "--llem-timeout=3" if "600" in body else "--llem-timeout=60"
    result = run(
        HEAD + f"def test_it(energy):\n    print('last words', flush=True); {body}\n",
        CONTAINER,
        timeout,
    )
    result.assert_outcomes(failed=1)
    assert said in text_of(result)


def test_every_fault_is_its_own_tests_failure(tmp_path: Path, box: Boxed) -> None:
    (tmp_path / "pyproject.toml").write_text(box.table("transformers"))
    faults = FaultyRun(tmp_path, "container", timeout_s=12)
    text = faults.done.stdout + faults.done.stderr
    assert "INTERNALERROR" not in text
    assert faults.tests.keys() == FAULTS.keys(), text
    for name, (outcome, said, printed) in FAULTS.items():
        test = faults.tests[name]
        assert (name, test["outcome"]) == (name, outcome)
        assert said in json.dumps(test), (name, test)
        assert printed in text
    outcomes = {name: result["outcome"] for name, result in faults.results().items()}
    assert outcomes.keys() == FAULTS.keys() - {"finds_none_of_them"}
    assert outcomes["takes_all_memory"] == "crashed"
    assert outcomes["is_stopped"] == "timed_out"
    assert {result["isolation"] for result in faults.results().values()} == {"container"}
    floods_cost_the_supervisor_neither_memory_nor_disk(faults)


def test_a_container_that_somebody_removes_is_told_as_killed(
    pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    process = started(pytester, box)
    box.podman("rm", "--force", "--time=0", *box.containers())
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "killed by SIGKILL (during call)" in out


@pytest.fixture
def starting(pytester: pytest.Pytester, box: Boxed) -> subprocess.Popen[str]:
    """Pytest in a process, with a container that is about to start an experiment."""
    slow = pytester.makefile(".sh", slow=SLOW.format(python=sys.executable))
    slow.chmod(0o755)
    pytester.makepyprojecttoml(box.table("transformers").replace(sys.executable, str(slow)))
    return started(pytester, box, until="starting")


def test_ctrl_c_while_a_container_starts_leaves_none(starting: subprocess.Popen[str]) -> None:
    starting.send_signal(signal.SIGINT)
    out, _ = starting.communicate(timeout=PATIENCE_S)
    assert starting.returncode == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in out


def test_a_pytest_that_was_killed_while_a_container_starts_leaves_none(
    starting: subprocess.Popen[str],
) -> None:
    starting.kill()
    starting.communicate(timeout=PATIENCE_S)


def test_a_debugger_has_the_terminal(pytester: pytest.Pytester, box: Boxed) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    pytester.makepyfile(test_it="def test_it(energy):\n    answer = 41\n    assert answer == 42\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--pdb", "-p", "no:randomly", CONTAINER],
        cwd=pytester.path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    assert "assert 41 == 42" in read_until(ours, "(Pdb)")
    os.write(ours, b"p answer + 1000\n")
    assert "1041" in read_until(ours, "(Pdb)")
    os.write(ours, b"q\n")
    assert "1 failed" in read_until(ours, None)
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    os.close(ours)


def test_ctrl_c_reaches_the_experiment_and_ends_the_container(
    pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    process = started(pytester, box)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in out
    assert Path(pytester.path, "interrupted").exists()


def test_the_container_ends_with_a_pytest_that_was_killed(
    pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    process = started(pytester, box)
    process.kill()
    process.communicate(timeout=PATIENCE_S)


def started(pytester: pytest.Pytester, box: Boxed, until: str = "begun") -> subprocess.Popen[str]:
    """Pytest in a process, with an experiment under way that never ends by itself."""
    pytester.makepyfile(
        test_it=HEAD
        + """
def test_it(energy):
    open("begun", "w").close()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        open("interrupted", "w").close()
        raise
"""
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", CONTAINER],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not Path(pytester.path, until).exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(box.containers()) == 1
    return process


def test_what_a_dead_pytest_left_is_removed_and_that_of_a_living_one_is_not(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    def leave(owner: str) -> str:
        labels = ["--label", f"{LABEL}=0", "--label", f"{OWNER_LABEL}={owner}"]
        options = ["--detach", "--network=none", "--volume=/usr:/usr:ro", *box.arguments]
        done = box.podman("run", *options, *labels, IMAGE, "/usr/bin/sleep", "600")
        assert not done.returncode, done.stderr
        return done.stdout.strip()

    ours = own_name()
    leave(ours.rpartition("/")[0] + "/1")
    alive = leave(ours)
    try:
        pytester.makepyprojecttoml(box.table("transformers"))
        run(HEAD + "def test_it(energy): pass", CONTAINER).assert_outcomes(passed=1)
        assert box.containers() == [alive]
    finally:
        box.podman("rm", "--force", "--time=0", alive)
