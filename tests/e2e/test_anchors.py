"""The fixed loops of a session: on a card of known power, through a driver whose kernels take known times."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments.cuda_double import cuda_double
from instruments.curves import Constant
from instruments.nvml_double import Gpu, nvml_double

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SOURCE = """
import time
import pytest

@pytest.mark.parametrize("name", ["a", "b"])
def test_it(energy, name):
    energy.measure(lambda: time.sleep(0.004))
"""
QUICK = (
    "--llem-set=measurement.windows=2",
    "--llem-set=measurement.window_s=0.1",
    "--llem-set=measurement.warmup_min_s=0.02",
    "--llem-set=measurement.warmup_max_s=0.2",
    "--llem-isolation=spawn",
)
GATE = "--llem-gate=power_w:3%"
ONE = "test_it.py::test_it[a]"
UUID = "GPU-00000000-0000-4000-8000-000000000000"


class Machine:
    """A project on a machine with one card."""

    def __init__(self, folder: Path, power_w: float = 300.0, driver: str = "580.65.06") -> None:
        self.folder = folder
        (folder / "test_it.py").write_text(SOURCE, encoding="utf-8")
        (folder / "driver").mkdir()
        card = Gpu(curve=Constant(power_w), uuid=UUID)
        nvml = nvml_double(folder / "driver", [card], driver=driver)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.environ = {**os.environ, "PYTHONPATH": path, **nvml}
        self.environ |= cuda_double(folder / "driver", self.environ)
        self.environ.pop("CUDA_VISIBLE_DEVICES", None)

    def pytest(self, *options: str, **variables: str) -> str:
        """What a run of pytest, in which every test passes, says without line breaks."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:randomly", *QUICK, *options],
            cwd=self.folder,
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def anchors(self) -> list[dict[str, Any]]:
        """Stored readings of all runs."""
        files = sorted(self.folder.glob(".llem/runs/*/anchors/results/*.json"))
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return sorted(found, key=lambda one: (one["run_id"], one["repeat"]))

    def session(self) -> Mapping[str, Any]:
        """The one session of the first experiment's baseline."""
        (file,) = self.folder.glob("baselines/**/*.json")
        entries = json.loads(file.read_text(encoding="utf-8"))["entries"]
        (session,) = next(iter(entries.values()))["sessions"]
        assert all(one["sessions"][0]["anchors"] == session["anchors"] for one in entries.values())
        found: Mapping[str, Any] = session
        return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine on the day of the baseline."""
    machine = Machine(tmp_path_factory.mktemp("before"))
    said = machine.pytest("--llem-update-baselines", "-v")
    assert "llem: anchors took" in said
    assert "read 3 times (--llem-anchors)" in said
    return machine


@pytest.fixture
def later(before: Machine, tmp_path: Path) -> Callable[..., Machine]:
    """The same machine on another day, with the baselines of before."""

    def later(power_w: float = 300.0, **what: Any) -> Machine:
        machine = Machine(tmp_path, power_w, **what)
        shutil.copytree(before.folder / "baselines", tmp_path / "baselines")
        return machine

    return later


def test_three_readings_are_kept_with_the_results_and_with_the_baselines(before: Machine) -> None:
    readings = before.session()["anchors"]
    assert [(one["loop"], one["place"]) for one in readings] == [
        (loop, place) for place in ("start", "middle", "end") for loop in ("compute", "memory")
    ]
    for one in readings:
        assert one["energy_j"] / one["duration_s"] == pytest.approx(300.0, rel=0.02)
        assert one["energy_uncertainty_j"] is not None
        assert one["name"].endswith("/1/driver-580.65.06")
    stored = before.anchors()
    assert [one["repeat"] for one in stored] == [0, 1, 2]
    assert all(one["outcome"] == "passed" and len(one["measurements"]) == 2 for one in stored)
    assert {
        device["uuid"] for one in stored for device in one["measurement_methodology"]["devices"]
    } == {UUID}


def llem(machine: Machine, *arguments: str) -> str:
    """What the command says, in the folder of *machine*."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_llem", *arguments],
        cwd=machine.folder,
        env=machine.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_stored_run_has_its_anchors_to_recompute_and_to_accept(before: Machine) -> None:
    (run,) = before.folder.glob(".llem/runs/*")
    assert "8 of 8 measurements came out equal" in llem(before, "recompute", str(run))
    llem(before, "baseline", "accept", str(run), "--reason", "as good", "--baselines", "accepted")
    (file,) = before.folder.glob("accepted/**/*.json")
    entries = json.loads(file.read_text(encoding="utf-8"))["entries"].values()
    assert all(len(entry["sessions"][0]["anchors"]) == 6 for entry in entries)


def test_what_the_card_draws_more_today_is_taken_off(later: Callable[..., Machine]) -> None:
    machine = later(318.0)
    said = machine.pytest(GATE, ONE)
    assert [one["repeat"] for one in machine.anchors()] == [0, 1]  # nothing is between
    moved = (
        r"anchors drew (\S+) % power in this session \(compute (\S+) %, memory (\S+) %\), taken off"
    )
    found = re.search(moved, said)
    assert found is not None, said
    both, compute, memory = map(float, found.groups())
    assert memory == pytest.approx(6.0, abs=0.6)
    assert compute == pytest.approx(6.0, abs=2.0)  # first, before many refreshes have been seen
    assert both == pytest.approx(6.0, abs=1.2)
    change = re.search(r" W, (\S+) % \[", said)
    assert change is not None
    assert float(change[1]) == pytest.approx(0.0, abs=1.6)


@pytest.mark.parametrize(
    ("fault", "why"),
    [("kill:3", "SIGKILL"), ("kernel", "a PTX JIT compilation failed (error 218)")],
)
def test_loops_that_fail_never_fail_the_run(
    later: Callable[..., Machine], fault: str, why: str
) -> None:
    machine = later()
    said = machine.pytest(GATE, ONE, LLEM_TEST_CUDA_FAULT=fault)
    assert "llem: anchors could not be measured: it " in said
    verdict = said.partition("no anchors in this session: it ")[2]
    assert why in verdict[:200]
    assert len(machine.anchors()) == 1  # kept, with what went wrong, and not tried again


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([GATE, "-n1"], "no anchors in this session: workers of pytest-xdist measure none"),
        (["--llem-dry-run"], "no tests ran"),
    ],
)
def test_where_none_are_measured_the_verdict_says_why(
    later: Callable[..., Machine], options: list[str], why: str
) -> None:
    machine = later()
    said = machine.pytest(*options)
    assert not machine.anchors()
    assert why in said
