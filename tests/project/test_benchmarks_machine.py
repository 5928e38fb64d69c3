"""The line about the machine that benchmarks print."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def machine(script: Callable[[str], Any]) -> Any:
    return script("benchmarks/machine.py")


def test_it_says_what_explains_a_figure(machine: Any) -> None:
    described = machine.describe_machine()
    assert "core" in described
    assert "load" in described
    assert platform.python_version() in described
    assert platform.release() in described


def test_it_does_not_name_the_machine(machine: Any) -> None:
    words = machine.describe_machine().replace(",", " ").split()
    assert platform.node() not in words


def test_fewer_usable_cores_than_present_are_shown(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 8)
    assert machine.cores() == "2 of 8 cores"
