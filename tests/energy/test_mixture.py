"""Intervals of energies for which there are several explanations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.mixture import Mixture, Normal, half_width_j

NONE = Mixture((Normal(1.0, 0.0, 0.0),))
weights = st.floats(0.0, 1.0)
energies = st.floats(0.0, 100.0)
variances = st.floats(1e-6, 100.0)


def of(weight: float, far_j: float, variance_j2: float = 1.0) -> Mixture:
    """Two explanations: one of weight *weight* that is far off, and one that is not."""
    near, far = Normal(1 - weight, 0.0, variance_j2), Normal(weight, far_j, variance_j2)
    return Mixture((near, far))


@given(start=variances, end=variances, other=variances)
def test_one_explanation_of_each_edge_has_the_interval_of_a_normal_distribution(
    start: float, end: float, other: float
) -> None:
    edges = Mixture((Normal(1.0, 5.0, start),)), Mixture((Normal(1.0, 7.0, end),))
    expected_j = 1.959964 * math.sqrt(start + end + other)
    assert half_width_j(*edges, 0.0, other) == pytest.approx(expected_j, rel=1e-4)


def test_an_explanation_that_is_all_but_certain_decides_however_far_off_another_is() -> None:
    energy = of(0.01, 100.0)
    half_j = half_width_j(NONE, energy, 0.0, 0.0)
    assert half_j < 4.0
    assert 1.96 * math.sqrt(energy.variance_j2) > 15.0


def test_an_explanation_that_may_well_be_is_in_the_interval() -> None:
    assert half_width_j(NONE, of(0.2, 100.0), 0.0, 0.0) > 75.0


@given(weight=weights, far=energies, variance=variances, other=variances)
def test_the_interval_holds_95_percent(
    weight: float, far: float, variance: float, other: float
) -> None:
    energy = of(weight, far, variance)
    half_j = half_width_j(NONE, energy, 0.0, other)
    middle_j, spread_j = energy.mean_j, math.sqrt(2 * (variance + other))
    held = math.fsum(
        part.weight
        * (
            math.erf((middle_j + half_j - part.mean_j) / spread_j)
            - math.erf((middle_j - half_j - part.mean_j) / spread_j)
        )
        / 2
        for part in energy.parts
    )
    assert held == pytest.approx(0.95, abs=0.003)


@given(together=st.floats(-1.0, 1.0), start=variances, end=variances)
def test_what_errs_alike_at_both_edges_cancels(together: float, start: float, end: float) -> None:
    edges = Mixture((Normal(1.0, 5.0, start),)), Mixture((Normal(1.0, 7.0, end),))
    left_j2 = start + end - 2 * together * math.sqrt(start * end)
    half_j = half_width_j(*edges, together, 1e-9)
    assert half_j == pytest.approx(1.959964 * math.sqrt(left_j2 + 1e-9), rel=1e-3, abs=1e-6)


@given(weight=st.floats(0.1, 0.9), far_j=energies, factor=st.floats(1.0, 5.0))
def test_stretched_by_a_factor_everything_is_so_much_wider_about_the_same_mean(
    weight: float, far_j: float, factor: float
) -> None:
    energy = of(weight, far_j)
    wider = energy.stretched(factor)
    assert wider.mean_j == pytest.approx(energy.mean_j, abs=1e-9)
    assert wider.variance_j2 == pytest.approx(factor**2 * energy.variance_j2)
    alone_j, wider_j = (half_width_j(NONE, one, 0.0, 0.0) for one in (energy, wider))
    assert wider_j == pytest.approx(factor * alone_j, rel=1e-3)
