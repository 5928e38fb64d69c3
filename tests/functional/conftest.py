"""Runs of pytest with the plugin, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

STUCK_S = 300.0
"""A run that takes longer does not end: better told than waited for."""


@pytest.fixture
def isolation() -> str | None:
    """How the runs of a test isolate experiments; ``None`` leaves it to the plugin."""
    return None


@pytest.fixture
def run(pytester: pytest.Pytester, isolation: str | None) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own over the given test file."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        how = [f"--llem-isolation={isolation}"] if isolation else []
        return pytester.runpytest_subprocess("-p", "no:randomly", *how, *arguments, timeout=STUCK_S)

    return run


@pytest.fixture
def stored(pytester: pytest.Pytester) -> Callable[[], list[dict[str, object]]]:
    """The results that the runs so far have stored."""

    def stored() -> list[dict[str, object]]:
        files = sorted(Path(pytester.path).glob(".llem/runs/*/results/*.json"))
        return [json.loads(file.read_text()) for file in files]

    return stored


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of distributions, which processes started from here see."""
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(directory), prepend=":")
    return directory


@pytest.fixture(scope="session", params=["spawn", "fork-server"])
def launcher(request: pytest.FixtureRequest) -> str:
    """How children are started: what has to survive everything does so with each of these."""
    return str(request.param)
