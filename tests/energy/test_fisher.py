"""The tail of Fisher's F distribution."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.phases.fisher import f_tail

DEGREES = st.integers(1, 300)
VALUES = st.floats(1e-6, 1e6)


@given(VALUES, DEGREES, DEGREES)
def test_tails_are_those_of_scipy(value: float, numerator: int, denominator: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.f.sf(value, numerator, denominator)
    assert f_tail(value, numerator, denominator) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@given(VALUES, DEGREES)
def test_one_degree_is_students_t_squared(value: float, degrees: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = 2 * stats.t.sf(math.sqrt(value), degrees)
    assert f_tail(value, 1, degrees) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@given(VALUES, VALUES, DEGREES, DEGREES)
def test_a_larger_value_is_less_likely(
    one: float, other: float, numerator: int, denominator: int
) -> None:
    small, large = sorted([one, other])
    more, less = (f_tail(value, numerator, denominator) for value in (small, large))
    assert 0 <= less <= more + 1e-12 <= 1 + 1e-12


def test_nothing_and_everything_are_beyond_the_ends() -> None:
    assert f_tail(0.0, 2, 3) == f_tail(-1.0, 2, 3) == 1.0
    assert f_tail(math.inf, 2, 3) == 0.0


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 3), (3, 0), (-1, 1)])
def test_no_degree_of_freedom_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="one degree of freedom"):
        f_tail(1.0, numerator, denominator)
