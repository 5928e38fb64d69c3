"""Weighted least squares, against numpy, and the scatter that is found beyond what was stated."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.phases.least_squares import fit

if TYPE_CHECKING:
    from pytest_llem.energy.phases.least_squares import Fit

np: Any = pytest.importorskip("numpy")

SEEDS = st.integers(0, 10**6)
POINTS = st.lists(st.integers(0, 30), min_size=5, max_size=25).filter(lambda x: len(set(x)) > 3)


def parabola(places: list[int]) -> list[list[float]]:
    longest = max(places)
    return [[1.0, x / longest, (x / longest) ** 2] for x in places]


def fitted(places: list[int], seed: int, *, noise: float = 1.0, stated: float = 1e-3) -> Fit:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    terms = parabola(places)
    values = [10 + 5 * b - 3 * c + rng.gauss(0, noise) for _, b, c in terms]
    own = [stated * rng.uniform(0.5, 2.0) for _ in terms]
    return fit(terms, values, [one**2 for one in own], [rng.uniform(0.5, 2.0) for _ in terms])


@given(POINTS, SEEDS)
def test_coefficients_are_those_of_numpy_with_the_same_weights(
    places: list[int], seed: int
) -> None:
    found = fitted(places, seed)
    roots = np.sqrt(1 / np.array(found.variances))
    expected, *_ = np.linalg.lstsq(
        np.array(found.terms) * roots[:, None], np.array(found.values) * roots, rcond=None
    )
    assert found.coefficients == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-6)


@given(POINTS, SEEDS)
def test_scatter_is_as_large_as_the_residuals_ask_for(places: list[int], seed: int) -> None:
    found = fitted(places, seed)
    assert found.chi2 == pytest.approx(found.degrees, rel=1e-6)


@given(POINTS, SEEDS)
def test_what_is_stated_is_kept_where_it_explains_the_residuals(
    places: list[int], seed: int
) -> None:
    found = fitted(places, seed, noise=1e-6, stated=1.0)
    assert found.chi2 < found.degrees
    assert max(found.variances) <= 4.0


@given(POINTS, SEEDS)
def test_shares_reproduce_any_sum_of_the_terms(places: list[int], seed: int) -> None:
    found = fitted(places, seed)
    for number, shares in enumerate(found.shares):
        for term in range(3):
            got = math.fsum(s * row[term] for s, row in zip(shares, found.terms, strict=True))
            assert got == pytest.approx(float(term == number), abs=1e-6)


def test_too_few_observations_are_refused() -> None:
    with pytest.raises(ValueError, match="more observations"):
        fit(parabola([1, 2, 3]), [1.0] * 3, [1.0] * 3, [1.0] * 3)


def test_terms_that_depend_on_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match="not independent"):
        fit([[1.0, 0.0]] * 4, [1.0, 2.0, 3.0, 4.0], [1.0] * 4, [1.0] * 4)
