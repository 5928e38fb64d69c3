"""What a stretch of readings says of the load as a whole."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.counter import Points
from pytest_llem.energy.estimator.load.whole import Whole, repeats_after
from pytest_llem.energy.estimator.refreshes.refresh import Placed
from pytest_llem.energy.estimator.sample import Sample
from pytest_llem.energy.estimator.surroundings import Surroundings

PERIOD_S = 0.1


def whole(powers_w: list[float], samples: list[Sample] | None = None) -> Whole:
    """Of refreshes of a tenth of a second, each with a mean power of its own."""
    energy_j, nodes = 0.0, [Placed(0.0, 10_000.0, 0.0)]
    for number, power_w in enumerate(powers_w, start=1):
        energy_j += power_w * PERIOD_S
        nodes.append(Placed(number * PERIOD_S * 1e9, 10_000.0, energy_j))
    return Whole(nodes, samples or [], period_s=PERIOD_S, power_period_s=PERIOD_S, jitters=True)


@given(
    pattern=st.lists(st.floats(50, 700), min_size=2, max_size=8, unique=True),
    times=st.integers(3, 6),
)
def test_values_that_repeat_themselves_are_found_to(pattern: list[float], times: int) -> None:
    after = repeats_after(pattern * times, 0.0)
    assert after == len(pattern)


def test_values_that_do_not_are_not() -> None:
    rng = random.Random(1)  # noqa: S311 - a simulation
    assert repeats_after([rng.uniform(100, 600) for _ in range(60)], 1.0) is None
    assert repeats_after([400.0], 1.0) is None


@pytest.mark.parametrize(
    ("pattern_w", "readings"), [([300.0, 450.0], 2), ([150.0, 400.0, 600.0], 3)]
)
def test_readings_that_a_load_in_step_repeats_count_once(
    pattern_w: list[float], readings: int
) -> None:
    powers_w = pattern_w * 12
    assert whole(powers_w).distinct == readings
    samples = [Sample(i * PERIOD_S * 1e9, power_w) for i, power_w in enumerate(powers_w)]
    assert whole(powers_w, samples).distinct == 2 * readings


def test_readings_of_a_load_that_never_repeats_itself_all_count() -> None:
    rng = random.Random(2)  # noqa: S311 - a simulation
    assert whole([rng.uniform(100, 600) for _ in range(40)]).distinct is None
    assert whole([400.0] * 40).distinct is None


def test_the_highest_power_is_that_of_any_reading() -> None:
    assert whole([100.0, 300.0, 200.0]).highest_w == pytest.approx(300.0)
    assert whole([100.0, 300.0], [Sample(0.0, 650.0)]).highest_w == pytest.approx(650.0)


def test_what_a_load_in_step_repeats_is_no_level_for_coming_again() -> None:
    """A burst across two refreshes has means at which power never stood, and always the same."""
    cycle_w = [520.0, 440.0, 330.0, 330.0, 330.0, 330.0, 330.0]
    known_w = [level.mean_w for level in whole(cycle_w * 8).levels.levels[1:]]
    assert known_w == pytest.approx([330.0])


def test_only_readings_of_the_stretch_that_is_looked_at_count() -> None:
    """What was before, such as a pause, is not the load."""
    nodes = Points([Placed(i * 1e8, 10_000.0, 30.0 * i) for i in range(100)])
    samples = [Sample(i * 1e8, 650.0 if i < 20 else 300.0) for i in range(100)]
    around = Surroundings(nodes, samples, PERIOD_S, (5_050_000_000, 6_050_000_000))
    assert around.whole.highest_w == pytest.approx(300.0)
