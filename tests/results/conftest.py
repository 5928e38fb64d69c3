"""Examples of what a run keeps, as factories that hypothesis may call again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.examples import RESULT, example_raw
from pytest_llem.results.environment import Environment
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult


@pytest.fixture(scope="session")
def make_result() -> Callable[..., ExperimentResult]:
    """A result with the given fields changed."""

    def make(**changes: Any) -> ExperimentResult:
        return RESULT.model_copy(update=changes)

    return make


@pytest.fixture(scope="session")
def make_raw() -> Callable[..., RawData]:
    """Raw data of one device and one measurement, with so many readings."""
    return example_raw


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A run that has just begun."""
    return RunStore.create(
        tmp_path / ".llem", command=["pytest", "bench/"], environment=Environment()
    )
