from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.student import mean_and_half_width_95, student_95


def test_quantiles_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for degrees in range(1, 201):
        assert student_95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-4)


@given(st.integers(1, 10_000))
def test_more_degrees_of_freedom_narrow_the_interval(degrees: int) -> None:
    assert student_95(degrees) > student_95(degrees + 1) > 1.959


@pytest.mark.parametrize("degrees", [0, -1])
def test_no_degree_of_freedom_is_refused(degrees: int) -> None:
    with pytest.raises(ValueError, match="one degree of freedom"):
        student_95(degrees)


def test_a_single_value_has_no_spread() -> None:
    assert mean_and_half_width_95([7.0]) == (7.0, None)


def test_the_half_width_is_that_of_the_textbook() -> None:
    mean, half = mean_and_half_width_95([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.30265273 / math.sqrt(3), rel=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.floats(-1e6, 1e6))
def test_a_shift_moves_the_mean_alone(values: list[float], shift: float) -> None:
    mean, half = mean_and_half_width_95(values)
    moved, same = mean_and_half_width_95([value + shift for value in values])
    assert moved == pytest.approx(mean + shift, abs=1e-6)
    assert same == pytest.approx(half, rel=1e-6, abs=1e-6)


def test_values_that_are_equal_differ_by_nothing() -> None:
    assert mean_and_half_width_95([123.4] * 3) == (123.4, 0.0)
