"""The period of a device's refreshes, from polls of it."""

from __future__ import annotations

import math
import random
from statistics import fmean
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.refreshes.placing import Refreshes
from pytest_llem.energy.estimator.refreshes.refresh import Refresh, observed_period_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_000_000


def seen(numbers: Sequence[int], period_ms: float, widths_ms: Sequence[float]) -> list[Refresh]:
    """Refreshes of these numbers, each somewhere in a bracket of its width."""
    rng = random.Random(len(numbers))  # noqa: S311 - a simulation
    found = []
    for number, width_ms in zip(numbers, widths_ms, strict=True):
        before_ms = rng.random() * width_ms
        earliest_ns = round((number * period_ms - before_ms) * MS)
        found.append(Refresh(earliest_ns, earliest_ns + round(width_ms * MS), float(number)))
    return found


@given(st.floats(15, 1000), st.lists(st.integers(1, 3), min_size=30, max_size=80))
def test_the_period_goes_into_all_gaps(period_ms: float, gaps: list[int]) -> None:
    gaps[:4] = [1, 1, 2, 3]
    numbers = [sum(gaps[:i]) for i in range(len(gaps))]
    found_ns = observed_period_ns(seen(numbers, period_ms, [0.02 * period_ms] * len(numbers)))
    assert found_ns == pytest.approx(period_ms * MS, rel=0.01)


@pytest.mark.parametrize("every", [2, 3])
def test_slow_driver_calls_hide_neither_the_period_nor_the_instants(every: int) -> None:
    widths_ms = [52.0 if number % every else 2.0 for number in range(60)]
    refreshes = Refreshes(seen(range(60), 100.0, widths_ms))
    assert refreshes.period_ns is not None
    assert (every * 100 * MS / refreshes.period_ns) % 1 == pytest.approx(0, abs=0.01)
    for i in range(len(refreshes)):
        assert abs(refreshes[i].time_ns - refreshes[i].value * 100 * MS) < 1.5 * MS


def test_a_value_that_may_be_of_either_of_two_refreshes_is_given_to_neither_for_sure() -> None:
    """A poll ended 0.1 ms before a refresh was due, by a grid that is known to some milliseconds."""
    wide = [Refresh(n * 35 * MS - 20 * MS, n * 35 * MS + 2 * MS, float(n)) for n in range(0, 60, 2)]
    own = Refresh(61 * 35 * MS + 100_000 - 70 * MS, 62 * 35 * MS - 10 * MS, 61.0)
    placed = Refreshes([*wide, own])[len(wide)]
    assert placed.half_ns > 15 * MS
    assert abs(placed.time_ns - 61 * 35 * MS) <= placed.half_ns


@pytest.mark.parametrize("jitter_ms", [1.0, 4.0])
def test_refreshes_that_jitter_are_as_far_off_as_they_say(jitter_ms: float) -> None:
    """The root mean square of errors in stated deviations is 1 where these are right."""
    rng = random.Random(11)  # noqa: S311 - a simulation
    squares = []
    for _ in range(10):
        instants_ms = [100.0 * number + rng.gauss(0, jitter_ms) for number in range(60)]
        found = []
        for number, instant_ms in enumerate(instants_ms):
            width_ms = rng.uniform(1.0, 3.0)
            earliest_ns = round((instant_ms - rng.random() * width_ms) * MS)
            found.append(Refresh(earliest_ns, earliest_ns + round(width_ms * MS), float(number)))
        refreshes = Refreshes(found)
        for i in range(10, len(refreshes) - 10):
            one = refreshes[i]
            off_ns = one.time_ns - instants_ms[i] * MS
            squares.append(off_ns**2 / (one.half_ns**2 / 3 + one.jitter_ns**2))
    assert math.sqrt(fmean(squares)) == pytest.approx(1.0, abs=0.2)
