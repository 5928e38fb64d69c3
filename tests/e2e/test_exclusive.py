"""Experiments that run at the same time never measure each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]
    Gpus = Callable[..., dict[str, str]]

WATTS = {"GPU-a000": 700.0, "GPU-b000": 100.0, "GPU-c000": 250.0}
SOURCE = """
import json, os, pathlib, time, pytest

FAST = {"windows": 2, "window_s": 0.4, "warmup_min_s": 0.1, "warmup_max_s": 1.0}

def measured(energy, name):
    begun_ns = time.monotonic_ns()
    found = energy.measure(lambda: time.sleep(0.05))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    said = {"visible": visible, "power_w": found.power_w, "begun_ns": begun_ns,
            "ended_ns": time.monotonic_ns()}
    pathlib.Path(f"said-{name}.json").write_text(json.dumps(said))
"""
SINGLES = (
    SOURCE
    + """
@pytest.mark.parametrize("n", range(4))
@pytest.mark.llem(measurement=FAST)
def test_it(energy, n):
    measured(energy, n)
"""
)
TWO = SINGLES.replace("range(4)", "range(2)")
MIXED = (
    SINGLES
    + """
@pytest.mark.llem(measurement=FAST, tensor_parallel_size=2)
def test_pair(energy):
    measured(energy, "pair")
"""
)


@pytest.fixture
def fleet(gpus: Gpus, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Some of three GPUs, each with a power of its own, by which a figure tells its GPU."""

    def fleet(*uuids: str) -> None:
        gpus(
            *(
                Gpu(curve=Constant(WATTS[uuid]), uuid=uuid, pci=f"00000000:{n}B:00.0")
                for n, uuid in enumerate(uuids, 1)
            )
        )
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return fleet


@pytest.fixture
def said(pytester: pytest.Pytester) -> Callable[[], dict[str, Any]]:
    """What each experiment's process saw and measured, by its name."""

    def said() -> dict[str, Any]:
        files = sorted(pytester.path.glob("said-*.json"))
        return {file.stem.removeprefix("said-"): json.loads(file.read_text()) for file in files}

    return said


def read_from(result: dict[str, Any]) -> list[str]:
    return [device["uuid"] for device in result["measurement_methodology"]["devices"]]


def overlapping(spans: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of experiments that measured the same GPU at the same time."""
    return [
        (one["visible"], other["visible"])
        for number, one in enumerate(spans)
        for other in spans[number + 1 :]
        if set(one["visible"].split(",")) & set(other["visible"].split(","))
        and one["begun_ns"] < other["ended_ns"]
        and other["begun_ns"] < one["ended_ns"]
    ]


def test_each_worker_leases_a_gpu_of_its_own(
    run: Run, results: Results, fleet: Callable[..., None], said: Callable[[], dict[str, Any]]
) -> None:
    fleet("GPU-a000", "GPU-b000")
    run(SINGLES, "-n2").assert_outcomes(passed=4)
    told = said()
    assert {one["visible"] for one in told.values()} == {"GPU-a000", "GPU-b000"}
    assert not overlapping(list(told.values()))
    for one in told.values():
        assert one["power_w"] == pytest.approx(WATTS[one["visible"]], rel=0.02)
    used = {str(result["own_arguments"]["n"]): read_from(result) for result in results()}
    assert used == {name: [one["visible"]] for name, one in told.items()}
    assert not any(result["measurement_methodology"]["shared"] for result in results())


def test_an_experiment_on_two_gpus_leases_both_at_once(
    run: Run, results: Results, fleet: Callable[..., None], said: Callable[[], dict[str, Any]]
) -> None:
    fleet("GPU-a000", "GPU-b000")
    outcome = run(MIXED, "-n4")
    outcome.assert_outcomes(passed=5)
    assert "waiting for" not in outcome.stderr.str(), "workers of one run take turns in silence"
    told = said()
    assert told["pair"]["visible"] == "GPU-a000,GPU-b000"
    assert told["pair"]["power_w"] == pytest.approx(800, rel=0.02)
    assert not overlapping(list(told.values()))
    (pair,) = [result for result in results() if "pair" in result["node_id"]]
    assert sorted(read_from(pair)) == ["GPU-a000", "GPU-b000"]


def test_only_visible_gpus_are_leased_in_their_order(
    run: Run,
    fleet: Callable[..., None],
    said: Callable[[], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet("GPU-a000", "GPU-b000", "GPU-c000")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    run(MIXED, "-n2").assert_outcomes(passed=5)
    told = said()
    assert told.pop("pair")["visible"] == "GPU-c000,GPU-b000"
    assert {one["visible"] for one in told.values()} == {"GPU-c000", "GPU-b000"}


def test_a_gpu_that_is_named_is_waited_for(
    run: Run, results: Results, fleet: Callable[..., None], said: Callable[[], dict[str, Any]]
) -> None:
    fleet("GPU-a000", "GPU-b000")
    source = TWO.replace("measurement=FAST", 'measurement=FAST, device="cuda:1"')
    run(source, "-n2").assert_outcomes(passed=2)
    assert {one["visible"] for one in said().values()} == {None}
    assert [read_from(result) for result in results()] == [["GPU-b000"]] * 2
    spans = [{**one, "visible": "GPU-b000"} for one in said().values()]
    assert not overlapping(spans)


def test_without_workers_the_first_visible_gpu_is_taken_as_ever(
    run: Run, results: Results, fleet: Callable[..., None], said: Callable[[], dict[str, Any]]
) -> None:
    fleet("GPU-a000", "GPU-b000")
    run(TWO).assert_outcomes(passed=2)
    assert {one["visible"] for one in said().values()} == {None}
    assert [read_from(result) for result in results()] == [["GPU-a000"]] * 2


def test_a_cpu_meter_beside_the_gpus_has_them_take_turns(
    run: Run, fleet: Callable[..., None], said: Callable[[], dict[str, Any]]
) -> None:
    fleet("GPU-a000", "GPU-b000")
    run(TWO, "-n2", "--llem-meter=nvml,estimate").assert_outcomes(passed=2)
    spans = [{**one, "visible": "all"} for one in said().values()]
    assert not overlapping(spans)


def pytest_process(path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_runs_never_measure_the_cpu_at_the_same_time(
    pytester: pytest.Pytester, results: Results
) -> None:
    pytester.makepyfile(test_it=TWO)
    runs = [pytest_process(pytester.path, "--llem-meter=estimate", *more) for more in ([], ["-n2"])]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    spans = sorted(tuple(result["steady_state_window"]) for result in results())
    assert len(spans) == 4
    assert len({result["run_id"] for result in results()}) == 2
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


HOLDS = """
import pathlib, time, pytest

def test_holds(energy):
    pathlib.Path("held").touch()
    time.sleep(120)
"""


@pytest.fixture
def held_up(pytester: pytest.Pytester) -> Any:
    """Another run that has the machine until the end of the test."""
    path = pytester.mkdir("other")
    (path / "test_other.py").write_text(HOLDS)
    other = pytest_process(path, "--llem-meter=estimate")
    until_s = time.monotonic() + 60
    while not (path / "held").exists():
        assert time.monotonic() < until_s
        assert other.poll() is None
        time.sleep(0.05)
    yield other
    other.kill()
    other.communicate()


def test_waiting_names_the_run_that_is_waited_for(
    run: Run, results: Results, held_up: subprocess.Popen[str]
) -> None:
    outcome = run("def test_it(energy): pass", "--llem-lock-timeout=2", "test_it.py")
    outcome.assert_outcomes(errors=1)
    who = f"held by pid {held_up.pid} of *: test_other.py::test_holds in run * (pytest *"
    outcome.stdout.fnmatch_lines(
        [
            f"llem: waiting for the CPUs of this machine, {who}",
            f"LockError: no device for this experiment alone after 2 s of waiting: *{who}",
        ]
    )
    assert not results(), "nothing was started"


def test_a_worker_says_that_it_waits_for_another_run(
    run: Run, held_up: subprocess.Popen[str]
) -> None:
    outcome = run("def test_it(energy): pass", "-n1", "--llem-lock-timeout=2", "test_it.py")
    outcome.assert_outcomes(errors=1)
    outcome.stderr.fnmatch_lines([f"*llem: waiting for the CPUs*held by pid {held_up.pid} *"])


def test_it_can_be_asked_not_to_wait(run: Run, held_up: subprocess.Popen[str]) -> None:
    for isolation in ("spawn", "none"):
        outcome = run(
            "def test_it(energy): pass\ndef test_plain(): pass",
            "--llem-lock-timeout=0",
            f"--llem-isolation={isolation}",
            "test_it.py",
        )
        outcome.assert_outcomes(errors=1, passed=1)
        outcome.stdout.fnmatch_lines([f"*without waiting*held by pid {held_up.pid} *"])


def test_waiting_is_not_the_experiments_time(run: Run, held_up: subprocess.Popen[str]) -> None:
    outcome = run(
        "def test_it(energy): pass", "--llem-timeout=1", "--llem-lock-timeout=3", "test_it.py"
    )
    assert "after 3 s of waiting" in outcome.stdout.str()
    assert "timed out" not in outcome.stdout.str()


def test_ctrl_c_while_waiting_ends_the_run(
    pytester: pytest.Pytester, held_up: subprocess.Popen[str]
) -> None:
    pytester.makepyfile(test_it="def test_it(energy): pass")
    waiting = pytest_process(pytester.path, "test_it.py")
    assert waiting.stdout is not None
    said = []
    while not said or "waiting for" not in said[-1]:
        said.append(waiting.stdout.readline())
        assert said[-1], f"it did not wait: {said}"
    waiting.send_signal(signal.SIGINT)
    then, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == pytest.ExitCode.INTERRUPTED, "".join([*said, then])


def test_the_devices_of_a_killed_run_are_free(run: Run, held_up: subprocess.Popen[str]) -> None:
    os.kill(held_up.pid, signal.SIGKILL)
    held_up.wait()
    run("def test_it(energy): pass", "--llem-lock-timeout=5", "test_it.py").assert_outcomes(
        passed=1
    )


MEASURES = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 2, "window_s": 0.3, "warmup_min_s": 0.1})
def test_it(energy):
    energy.measure(lambda: sum(range(300_000)))
"""


def test_shared_devices_are_not_waited_for_and_results_say_so(
    run: Run, results: Results, held_up: subprocess.Popen[str]
) -> None:
    outcome = run(MEASURES, "--llem-allow-shared", "test_it.py")
    outcome.assert_outcomes(passed=1)
    (line,) = [line for line in outcome.outlines if "SHARED" in line]
    assert line.startswith("SHARED devices (--llem-allow-shared): the energy of 1 experiment")
    (result,) = results()
    assert result["measurement_methodology"]["shared"] is True
    quiet = run(MEASURES, "--llem-allow-shared", "-q", "test_it.py")
    assert "devices SHARED" in quiet.stdout.str()


def test_what_was_measured_on_shared_devices_is_not_compared_with_what_was_not(run: Run) -> None:
    gate = "--llem-gate=energy_j:500%"
    run(MEASURES, "--llem-update-baselines").assert_outcomes(passed=1)
    outcome = run(MEASURES, gate, "--llem-allow-shared", "--llem-strict")
    outcome.assert_outcomes(failed=1)
    assert "devices used alone → shared with others" in " ".join(outcome.stdout.str().split())
    assert "SHARED" not in run(MEASURES, gate, "--llem-strict").stdout.str()


def test_an_impossible_patience_is_refused(run: Run) -> None:
    outcome = run("def test_it(energy): pass", "--llem-lock-timeout=-1")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*--llem-lock-timeout=-1: seconds, or 0 to not wait.*"])
