"""Whole runs: real processes, the real NVML client, a driver with exactly known power."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from instruments.nvml_double import nvml_double

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from instruments.nvml_double import Driver, Gpu


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


def _files(root: Path) -> list[Path]:
    return sorted(root.glob(".llem/runs/*/results/*.json"))
