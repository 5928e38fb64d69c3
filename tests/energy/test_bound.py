"""What there can be near a refresh bounds what every shape says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.bound import PEAK, Bound
from pytest_llem.energy.estimator.mixture import Normal
from pytest_llem.energy.estimator.refreshes.refresh import Placed

MS = 1_000_000
BEFORE, AFTER = Placed(0.0, 30_000.0, 1000.0), Placed(100.0 * MS, 30_000.0, 1040.0)
HIGHEST_W = 700.0


@given(at_ms=st.floats(0, 100), mean_j=st.floats(-100, 100), deviation_j=st.floats(0, 50))
def test_energy_is_never_below_nothing_nor_above_what_was_counted(
    at_ms: float, mean_j: float, deviation_j: float
) -> None:
    bound = Bound.at(at_ms * MS, BEFORE, AFTER, HIGHEST_W)
    told = bound.on(Normal(0.5, mean_j, deviation_j**2), 0.25)
    assert told.weight == 0.25
    assert -1e-9 <= told.mean_j <= 40 + 1e-9
    assert told.mean_j <= max(HIGHEST_W, PEAK * 400) * at_ms / 1000 + 1e-9
    assert told.variance_j2 <= bound.flat.variance_j2


def test_a_shape_that_can_be_and_is_surer_than_the_bound_is_believed() -> None:
    bound = Bound.at(50 * MS, BEFORE, AFTER, HIGHEST_W)
    assert bound.on(Normal(1.0, 12.5, 0.01), 0.3) == Normal(0.3, 12.5, 0.01)


def test_a_vague_shape_that_cannot_be_leaves_the_mean_of_the_refresh() -> None:
    bound = Bound.at(MS, BEFORE, AFTER, HIGHEST_W)
    told = bound.on(Normal(1.0, -5.0, 25.0), 0.3)
    assert told.mean_j == pytest.approx(0.4)
    assert told.variance_j2 == pytest.approx((PEAK * 0.4) ** 2 / 12, rel=0.01)
