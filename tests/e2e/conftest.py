"""Whole runs: real processes, the real NVML client, a driver with exactly known power."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from instruments.nvml_double import nvml_double
from instruments.powercap import Powercap, Zone
from instruments.programs import finished

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instruments.nvml_double import Driver, Gpu

RANGE_UJ = 1_000_000_000
POWER_W = 50.0


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models leave a core to the neighbour, unless a test says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def gpus(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driver]:
    """Give the processes started from here on a driver with these GPUs."""

    def gpus(*present: Gpu) -> Driver:
        driver = nvml_double(pytester.path / "driver", list(present))
        for name, value in driver.items():
            monkeypatch.setenv(name, value)
        return driver

    (pytester.path / "driver").mkdir()
    return gpus


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest over a test file in a process of its own."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        return pytester.runpytest_subprocess("-p", "no:randomly", *arguments)

    return run


@pytest.fixture
def results(pytester: pytest.Pytester) -> Callable[[], Sequence[dict[str, Any]]]:
    """The stored results, oldest run first."""

    def results() -> Sequence[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in _files(pytester.path)]

    return results


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of pytest that several tests look at."""

    folder: Path
    done: subprocess.CompletedProcess[str]
    results: Sequence[dict[str, Any]]
    """What it has stored, in the order of its experiments."""

    @property
    def said(self) -> str:
        """All that it printed, white space folded."""
        return " ".join(f"{self.done.stdout} {self.done.stderr}".split())


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Run pytest over a test file for all tests of a module."""

    def run_once(source: str, *arguments: str) -> Ran:
        folder = tmp_path_factory.mktemp("shared")
        (folder / "test_it.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments]
        done = finished(command, os.environ, directory=folder, timeout_s=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return Ran(folder, done, [json.loads(file.read_text()) for file in _files(folder)])

    return run_once


def _files(root: Path) -> list[Path]:
    return sorted(root.glob(".llem/runs/*/results/*.json"))


@pytest.fixture
def powercap(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Powercap]:
    """A package that draws a constant power, which the processes started from here see.

    Its power in watts may be the parameter; the counter begins anew every 1000 J.
    """
    package = Zone("package-0", getattr(request, "param", POWER_W), RANGE_UJ)
    with Powercap(tmp_path / "powercap", {"intel-rapl:0": package}) as powercap:
        monkeypatch.setenv("LLEM_POWERCAP", str(powercap.root))
        yield powercap
