"""Cutting convex polygons, and their moments."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.refreshes.polygon import HalfPlane, Moments, Polygon, cut

SQUARE: Polygon = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
PLANES = st.lists(
    st.builds(HalfPlane, st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 1)), max_size=6
)


@given(planes=PLANES, seed=st.integers(0, 99))
def test_what_is_left_is_what_all_half_planes_hold(planes: list[HalfPlane], seed: int) -> None:
    """Area and means, beside points drawn from the square."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    drawn = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(4000)]
    held = [(x, y) for x, y in drawn if all(a * x + b * y <= c for a, b, c in planes)]
    left = cut(SQUARE, planes)
    moments = Moments.of(left) if left else Moments()
    assert moments.area == pytest.approx(4 * len(held) / len(drawn), abs=0.15)
    for number, of in ((1, lambda x, _: x), (3, lambda x, _: x * x), (4, lambda x, y: x * y)):
        told = 4 * sum(of(x, y) for x, y in held) / len(drawn)
        assert moments[number] == pytest.approx(told, abs=0.15)


def test_moments_of_a_rectangle_that_lies_elsewhere() -> None:
    moments = Moments.of([(10.0, 0.0), (14.0, 0.0), (14.0, 1.0), (10.0, 1.0)])
    assert moments.area == pytest.approx(4)
    assert moments.x / moments.area == pytest.approx(12)
    assert moments.xx / moments.area - 12**2 == pytest.approx(4**2 / 12)
    assert moments.xy / moments.area == pytest.approx(12 * 0.5)


def test_nothing_is_left_between_half_planes_that_part() -> None:
    assert cut(SQUARE, [HalfPlane(1, 0, -0.5), HalfPlane(-1, 0, -0.5)]) == []


def test_areas_add_up() -> None:
    halves = [cut(SQUARE, [HalfPlane(sign, 0.3, 0.1 * sign)]) for sign in (1, -1)]
    assert Moments.added(Moments.of(half) for half in halves[:1]).area < 4
    assert Moments.added([]) == Moments()
