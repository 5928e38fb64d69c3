"""Real containers, where podman can run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from instruments.boxes import Boxed, boxed

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def machine() -> Boxed:
    """How containers are started here."""
    found = boxed()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own over the given test file."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        return pytester.runpytest_subprocess("-p", "no:randomly", *arguments)

    return run


@pytest.fixture
def stored(pytester: pytest.Pytester) -> Callable[[], list[dict[str, Any]]]:
    """The results that the runs so far have stored."""

    def stored() -> list[dict[str, Any]]:
        files = sorted(pytester.path.glob(".llem/runs/*/results/*.json"))
        return [json.loads(file.read_text()) for file in files]

    return stored
