"""``bench/`` collects, and its large experiments wait to be asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def collect(checkout: Path) -> Callable[..., list[str]]:
    """Node ids that pytest collects with the given arguments."""

    def run(*arguments: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *arguments], cwd=checkout, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [line for line in done.stdout.splitlines() if "::" in line]

    return run


def test_the_default_set_is_small_enough_for_a_first_look(
    collect: Callable[..., list[str]],
) -> None:
    assert 6 <= len(collect("bench/")) <= 8


def test_large_experiments_run_when_asked_for(collect: Callable[..., list[str]]) -> None:
    large = collect("bench/", "-m", "large")
    assert len(large) > 20
    assert not set(large) & set(collect("bench/"))


def test_an_experiment_named_by_its_node_id_runs_even_if_large(
    collect: Callable[..., list[str]],
) -> None:
    named = collect("bench/test_lengths.py::test_long_prompts")
    assert named
    assert all("test_long_prompts" in node for node in named)
