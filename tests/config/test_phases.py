"""Which windows are run to tell prefill and decode apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.measurement import LEAST_LENGTHS, MeasurementConfig
from pytest_llem.config.phases import PhasePlan, described, phase_plan

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=6)
PHASES = st.sampled_from(["auto", "measured", "regressed", "sliced", "none"])


def plan(*output_tokens: int, **settings: Any) -> PhasePlan:
    return phase_plan(MeasurementConfig(**settings), output_tokens)


def test_prefill_only_windows_are_run_unless_something_else_is_asked_for() -> None:
    assert plan(64) == PhasePlan(prefill_windows=3)
    assert plan(64, phases="measured", prefill_windows=5) == PhasePlan(prefill_windows=5)
    assert plan(64, phases="sliced") == plan(64, phases="none") == PhasePlan()
    assert plan(64, prefill_windows=0) == PhasePlan()


def test_an_experiment_that_spans_lengths_is_regressed_over_them() -> None:
    assert plan(16, 32, 32, 64).output_tokens == (16, 32, 64)
    assert plan(16, 32).output_tokens == ()


def test_lengths_that_are_asked_for_are_run_but_none_twice() -> None:
    asked = {"phase_output_tokens": (64, 8, 1, 8, 32)}
    assert plan(64, **asked) == PhasePlan(3, (8, 32), 4)
    assert plan(64, **asked, phases="regressed") == PhasePlan(0, (1, 8, 32), 4)
    assert plan(64, **asked, phases="measured") == PhasePlan(3)


@pytest.mark.parametrize(
    ("output_tokens", "expected"),
    [(64, (16, 32, 48)), (5, (1, 2, 3)), (4, (1, 2, 3)), (3, (6, 9, 12)), (2, (4, 6, 8))],
)
def test_regression_has_lengths_of_its_own(output_tokens: int, expected: tuple[int, ...]) -> None:
    assert plan(output_tokens, phases="regressed").output_tokens == expected


@given(LENGTHS, PHASES)
def test_a_regression_always_has_lengths_enough(lengths: list[int], phases: str) -> None:
    found = plan(*lengths, phases=phases)
    own = set(lengths) if len(set(lengths)) == 1 else set()
    every = {*found.output_tokens, *own} | ({1} if found.prefill_windows else set())
    if phases == "regressed" and set(lengths) != {1}:
        assert len(every) >= LEAST_LENGTHS
    assert bool(found.output_tokens) == bool(found.length_windows)
    assert list(found.output_tokens) == sorted(set(found.output_tokens))


def test_nothing_is_run_where_all_is_prefill() -> None:
    assert plan(1, 1, phases="regressed", phase_output_tokens=(1, 2, 3)) == PhasePlan()


def test_a_plan_is_said_in_words() -> None:
    assert described(PhasePlan()) == ""
    assert described(PhasePlan(1)) == "1 window of prefill only"
    assert described(PhasePlan(3, (8, 16), 4)) == (
        "3 windows of prefill only and 4 windows at each of 8, 16 output tokens"
    )
