"""The supervising process is killed: its children die, and what was finished stays."""

from __future__ import annotations

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
import os, pathlib, time, pytest

@pytest.mark.llem(measurement={"windows": 2, "window_s": 0.2, "warmup_min_s": 0.1})
@pytest.mark.parametrize("number", [1, 2])
def test_finishes(energy, number):
    energy.measure(lambda: sum(range(10_000)))

@pytest.mark.llem(measurement={"windows": 500, "window_s": 1.0})
def test_goes_on(energy):
    def work():
        pathlib.Path("pid").write_text(str(os.getpid()))
        sum(range(100_000))
    energy.measure(work)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_finished_results_outlive_the_supervisor(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SOURCE)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly"], stdout=subprocess.DEVNULL
    )
    pid = int(wait_for(lambda: Path("pid").exists() and Path("pid").read_text()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not is_running(pid))
    (run,) = pytester.path.glob(".llem/runs/*")
    store = RunStore.open(run)
    assert [result.outcome for result in store.results()] == ["passed", "passed"]
    assert store.problems() == []
    assert store.manifest().state == "running"
    assert len(store.manifest().planned) == 3
    again = subprocess.run(
        [sys.executable, "-m", "pytest_llem", "recompute", str(run)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stdout + again.stderr


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], limit_s: float = 60) -> str:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if found := condition():
            return str(found)
        time.sleep(0.05)
    raise AssertionError("it did not happen")
