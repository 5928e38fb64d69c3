"""Looking more than once at the error rate of looking once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr

from pytest_llem.baselines.looks import SHARED, Looks, nominal_levels, plan_looks, spent

PLANS = st.builds(
    lambda first, more: plan_looks(first, first + more), st.integers(1, 6), st.integers(0, 30)
)


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_plan_rises_from_the_first_to_the_most(first: int, more: int) -> None:
    looks = plan_looks(first, first + more)
    assert looks.processes[0] == first
    assert looks.most == first + more
    assert list(looks.processes) == sorted(set(looks.processes))


def test_only_looks_that_were_reached_count() -> None:
    looks = Looks((4, 6, 9))
    assert looks.until(3) == (4,)
    assert looks.until(8) == (4, 6)
    assert looks.after(6) == 9
    assert looks.after(9) is None


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.96])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_crossing_at_any_look_has_the_chance_that_is_promised(shared: float, level: float) -> None:
    chance = np.random.default_rng(3)
    looks, runs = plan_looks(4, 20), 100_000
    sums = chance.normal(size=(runs, 20)).cumsum(axis=1)
    same = chance.normal(size=runs)
    crossed = np.zeros(runs, dtype=bool)
    for number, count in enumerate(looks.processes):
        own = (1 - shared) * 20 / count
        deviate = (
            math.sqrt(shared) * same + math.sqrt(own / count) * sums[:, count - 1]
        ) / math.sqrt(shared + own)
        crossed |= spent(ndtr(-deviate), looks, number, np.full(runs, shared)) <= level
    assert crossed.mean() == pytest.approx(level, rel=0.1)


def test_two_equal_steps_have_the_boundaries_of_the_bivariate_normal() -> None:
    looks, level, alone = Looks((10, 20)), np.array([0.025]), np.array([0.0])
    first, second = (float(nominal_levels(level, looks, number, alone)[0]) for number in (0, 1))
    assert first == pytest.approx(0.0125)
    joint = stats.multivariate_normal([0, 0], [[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    inside = joint.cdf(stats.norm.isf([first, second]))
    assert 1 - inside == pytest.approx(0.025, rel=1e-3)


@given(PLANS, st.floats(1e-10, 0.3), st.sampled_from(SHARED))
def test_what_just_crosses_has_the_level_of_the_plan(
    looks: Looks, level: float, shared: float
) -> None:
    share = np.array([shared])
    for number in range(len(looks.processes)):
        nominal = nominal_levels(np.array([level]), looks, number, share)
        assert nominal[0] <= level * 1.001
        assert float(spent(nominal, looks, number, share)[0]) == pytest.approx(level, rel=1e-6)


@given(PLANS, st.lists(st.floats(1e-16, 1.0), min_size=2, max_size=8))
def test_a_smaller_p_value_stays_smaller(looks: Looks, p_values: list[float]) -> None:
    ordered = np.array(sorted(p_values))
    for number in range(len(looks.processes)):
        found = spent(ordered, looks, number, np.zeros(len(ordered)))
        assert (np.diff(found) >= 0).all()
        assert (found >= ordered * 0.999).all()
        assert (found <= 1).all()


def test_a_single_look_is_no_correction() -> None:
    p_values = np.array([1e-9, 0.3, 0.9])
    assert spent(p_values, Looks((7,)), 0, np.zeros(3)).tolist() == p_values.tolist()
