"""Slopes and their intervals."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.warm_up.trend import LEAST_POINTS, trend

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = st.lists(
    st.integers(min_value=-1000, max_value=1000), min_size=LEAST_POINTS, max_size=12
).map(lambda values: [float(value) for value in values])


def seconds(values: list[float]) -> list[float]:
    return [float(number) for number in range(len(values))]


@given(VALUES)
def test_the_slope_lies_in_its_interval(values: list[float]) -> None:
    found = trend(seconds(values), values)
    assert found.low <= found.slope <= found.high
    assert found.farthest >= abs(found.slope)
    assert found.half_width >= 0


@given(VALUES, st.integers(-50, 50), st.integers(-50, 50))
def test_a_line_that_is_added_adds_its_slope(values: list[float], slope: int, level: int) -> None:
    plain = trend(seconds(values), values)
    tilted = [value + level + slope * t for t, value in enumerate(values)]
    found = trend(seconds(values), tilted)
    assert found == pytest.approx(tuple(one + slope for one in plain))


@given(VALUES)
def test_what_is_mirrored_falls_as_it_rose(values: list[float]) -> None:
    plain = trend(seconds(values), values)
    mirrored = trend(seconds(values), [-value for value in values])
    assert mirrored == pytest.approx((-plain.slope, -plain.high, -plain.low))
    assert mirrored.significant == plain.significant


@given(VALUES, st.floats(min_value=0.01, max_value=100))
def test_slopes_are_those_of_any_unit_of_time(values: list[float], factor: float) -> None:
    plain = trend(seconds(values), values)
    stretched = trend([factor * t for t in seconds(values)], values)
    assert stretched == pytest.approx(tuple(one / factor for one in plain))


@given(st.integers(8, 12), st.integers(0, 11), st.floats(min_value=-1e6, max_value=1e6))
def test_one_odd_point_of_eight_moves_the_slope_of_a_line_by_nothing(
    count: int, place: int, odd: float
) -> None:
    values = [3.0 * t for t in range(count)]
    values[place % count] = odd
    assert trend(seconds(values), values).slope == pytest.approx(3.0)


def test_a_level_course_has_no_trend() -> None:
    found = trend([0.0, 1.0, 2.0, 3.0], [5.0] * 4)
    assert (found.slope, found.farthest, found.significant) == (0.0, 0.0, False)


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0, 3.0]])
def test_too_few_points_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="show no trend"):
        trend(seconds(values), values)


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(lambda rng: rng.gauss(0, 1), id="normal"),
        pytest.param(lambda rng: rng.expovariate(1), id="skewed"),
        pytest.param(lambda rng: rng.gauss(0, 1) / max(rng.random(), 0.01), id="heavy tails"),
    ],
)
@pytest.mark.parametrize("count", [5, 8, 12])
def test_the_interval_covers_the_true_slope(
    count: int, noise: Callable[[random.Random], float]
) -> None:
    rng = random.Random(count)  # noqa: S311 - a simulation
    covered = 0
    for _ in range(400):
        values = [0.7 * t + noise(rng) for t in range(count)]
        found = trend(seconds(values), values)
        covered += found.low <= 0.7 <= found.high
    assert covered >= 0.92 * 400
