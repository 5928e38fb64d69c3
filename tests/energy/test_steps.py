"""Paths of plateaus and jumps through what was read."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.courses.events import Window
from pytest_llem.energy.estimator.courses.path import Level
from pytest_llem.energy.estimator.courses.steps import Noise, Told, follow
from pytest_llem.energy.estimator.load.levels import levels_of

QUIET = Noise(counter_j2=1e-4, power_j2=1e-4, slip_s=0.002)
ANY = (Level(1.0, 400.0, 300.0**2),)
STARTS = [round(-0.3 + 0.1 * i, 1) for i in range(8)]


def told(powers: list[tuple[float, float]], at_s: float, levels: tuple[Level, ...] = ANY) -> Told:
    """What is told of a load of plateaus, each from its instant on; power is read at 40 ms."""
    nodes = [(t, energy_j(powers, STARTS[0], t)) for t in STARTS]
    windows = [
        Window(t + 0.04, t + 0.065, energy_j(powers, t + 0.04, t + 0.065)) for t in STARTS[:-1]
    ]
    return follow(nodes, windows, at_s, levels, QUIET)


def energy_j(powers: list[tuple[float, float]], start_s: float, end_s: float) -> float:
    total = 0.0
    for (since_s, watts), (until_s, _) in pairwise([*powers, (math.inf, 0.0)]):
        total += watts * max(min(end_s, until_s) - max(start_s, since_s), 0.0)
    return total


@given(jump_s=st.floats(0.02, 0.08), at_s=st.floats(0.001, 0.099), low=st.floats(50, 300))
def test_a_single_jump_is_located_within_its_refresh(
    jump_s: float, at_s: float, low: float
) -> None:
    powers = [(-1.0, 600.0), (jump_s, low)]
    found = told(powers, at_s)
    truth_j = energy_j(powers, 0.0, at_s)
    linear_j = energy_j(powers, 0.0, 0.1) * at_s / 0.1
    assert abs(found.energy.mean_j - truth_j) <= 0.3 + 0.5 * abs(linear_j - truth_j)
    assert abs(found.energy.mean_j - truth_j) <= 4 * math.sqrt(found.energy.variance_j2) + 0.1


@given(watts=st.floats(50, 700), at_s=st.floats(0.0, 0.0999))
def test_a_steady_load_is_a_straight_line_and_sure(watts: float, at_s: float) -> None:
    found = told([(-1.0, watts)], at_s)
    assert found.energy.mean_j == pytest.approx(watts * at_s, abs=0.02)
    assert math.sqrt(found.energy.variance_j2) < 0.2


def test_a_load_of_plateaus_is_better_evidence_than_one_that_never_stands_still() -> None:
    plateaus = told([(-1.0, 150.0), (-0.13, 600.0), (0.17, 150.0)], 0.05)
    waves = told([(-1.0 + 0.013 * i, 150.0 + 450.0 * (i % 2)) for i in range(130)], 0.05)
    assert plateaus.log_evidence > waves.log_evidence


def test_two_jumps_that_cannot_be_told_apart_leave_the_answer_open() -> None:
    """Jumps at 30 % of every refresh, mirrored, fit the same readings."""
    powers = [(-0.37 + 0.1 * i, 600.0 if i % 2 else 150.0) for i in range(12)]
    levels = levels_of([465.0, 285.0] * 20, [600.0, 150.0] * 20).levels
    found = told(powers, 0.03, levels)
    assert abs(found.energy.mean_j - energy_j(powers, 0.0, 0.03)) <= 4 * math.sqrt(
        found.energy.variance_j2
    )


def test_levels_are_where_readings_crowd() -> None:
    levels = levels_of([375.0] * 20, [150.0, 600.0] * 20).levels
    assert sorted(round(level.mean_w) for level in levels[1:]) == [150, 600]
    assert math.fsum(level.share for level in levels) == pytest.approx(1.0)


def test_readings_without_crowds_leave_every_level_open() -> None:
    powers = [100.0 + 11.0 * i for i in range(40)]
    (only,) = levels_of(powers, powers).levels
    assert only.share == 1.0
