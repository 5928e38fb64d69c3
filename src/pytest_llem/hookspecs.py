"""Hooks for third parties, called through pluggy like pytest's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult


@pytest.hookspec
def pytest_llem_result(
    config: pytest.Config, result: ExperimentResult, judgements: Sequence[Judgement]
) -> None:
    """Called once an experiment is judged, before its reports are logged.

    Its result is on disk by then. Under pytest-xdist it is called in the process that controls the
    workers, which judges: in ``conftest.py`` files that pytest loads at its start.
    """


@pytest.hookspec
def pytest_llem_report(  # type: ignore[empty-body] # a specification has none
    config: pytest.Config, results: Sequence[ExperimentResult]
) -> list[str]:
    """Lines to add to the run's summary on the terminal, given all results of the run."""
