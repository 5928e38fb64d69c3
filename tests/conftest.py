"""Tests depend neither on the speed of the machine nor on what it can reach."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# Read when the hub's library is imported, so it has to be set before any test module is.
os.environ["HF_HUB_OFFLINE"] = "1"

# Runs that tests start are no part of the job that runs the tests, and have nothing to add to it.
for _name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(_name, None)

# Started in the background of a script, a process ignores Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline is a wall-clock time, and a busy machine would miss it. CI repeats the same examples,
# so that a failure there is due to the change; elsewhere new ones are tried every time.
settings.register_profile(
    "pytest-llem", deadline=None, print_blob=True, derandomize="CI" in os.environ
)
settings.load_profile("pytest-llem")


ADDOPTS = "-p no:hypothesispytest -p no:anyio -p no:benchmark"
"""Plugins that runs of tests have no use for; importing them was two fifths of each run."""


@pytest.fixture(scope="session", autouse=True)
def few_plugins() -> Iterator[None]:
    """Let processes that tests start leave out the plugins that take longest to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", ADDOPTS)
        yield


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The usual one, which takes the variable away."""
    monkeypatch.setenv("PYTEST_ADDOPTS", ADDOPTS)
    return pytester


@pytest.fixture(scope="session", autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let tests wait neither for other workers' tests nor for what else runs on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLEM_LOCK_DIR", str(tmp_path_factory.mktemp("locks")))
        yield
