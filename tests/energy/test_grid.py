"""The grid of refreshes, found from brackets."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.estimator.refreshes.allowed import (
    answered_grid,
    jittering_grid,
    phase_grid,
    regular_grid,
)
from pytest_llem.energy.estimator.refreshes.grid import Bracket, numbered

MS = 1_000_000.0


def brackets(
    period_ns: float, phase_ns: float, jitter_ns: float = 0.0, count: int = 60, seed: int = 0
) -> list[Bracket]:
    """Polls a millisecond apart around refreshes, each at a place of its own in its bracket."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    found = []
    for number in range(count):
        refresh_ns = phase_ns + number * period_ns + rng.gauss(0, jitter_ns)
        before_ns = rng.uniform(0.05, 0.95) * MS
        found.append(Bracket(number, refresh_ns - before_ns, refresh_ns + MS - before_ns))
    return found


@given(period_ms=st.floats(15, 1100), phase_ms=st.floats(0, 1e6), seed=st.integers(0, 99))
def test_a_regular_grid_is_found_far_finer_than_its_brackets(
    period_ms: float, phase_ms: float, seed: int
) -> None:
    period_ns = period_ms * MS
    seen = brackets(period_ns, phase_ms * MS, seed=seed)
    grid = regular_grid(seen, 1.003 * period_ns) or jittering_grid(seen, 1.003 * period_ns)
    assert grid is not None
    for number in (0, 30, 59):
        miss_ns = grid.instant_ns(number) - (phase_ms * MS + number * period_ns)
        assert abs(miss_ns) < 0.2 * MS
    assert max(grid.half_ns(number) for number in (0, 30, 59)) < 0.3 * MS
    assert grid.last_before(grid.instant_ns(7) + 1000) == 7


@pytest.mark.parametrize("jitter_ms", [1.0, 5.0])
def test_refreshes_that_jitter_lie_on_no_grid(jitter_ms: float) -> None:
    seen = brackets(100 * MS, 0.0, jitter_ns=jitter_ms * MS)
    assert regular_grid(seen, 100 * MS) is None
    assert jittering_grid(seen, 100 * MS) is None


@pytest.mark.parametrize("jitter_ms", [0.02, 0.05])
def test_a_sliver_that_jitter_leaves_is_not_taken_for_certainty(jitter_ms: float) -> None:
    """The fewer grids are left by refreshes that jitter, the surer the one that is seems."""
    held = []
    for seed in range(60):
        seen = brackets(100 * MS, 0.0, jitter_ns=jitter_ms * MS, seed=seed)
        grid = regular_grid(seen, 100 * MS) or jittering_grid(seen, 100 * MS)
        if grid is None:
            continue
        far_ns = grid.period_ns * 59 - 59 * 100 * MS
        held.append(abs(far_ns) <= 1.96 * 59 * grid.unsure_period_ns)
    assert len(held) >= 20
    assert sum(held) >= 0.85 * len(held)


def test_a_few_refreshes_show_no_grid() -> None:
    assert regular_grid(brackets(100 * MS, 0.0, count=8), 100 * MS) is None


@given(period_ms=st.floats(15, 1100), seed=st.integers(0, 99), wide=st.floats(0.1, 0.7))
def test_an_instant_lies_within_what_is_stated_where_most_were_seen_badly(
    period_ms: float, seed: int, wide: float
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    spans = []
    for number in range(40):
        width_ns = 1 * MS if number < 6 else wide * period_ms * MS
        before_ns = rng.random() * width_ns
        refresh_ns = number * period_ms * MS
        spans.append(Bracket(0, refresh_ns - before_ns, refresh_ns + width_ns - before_ns))
    found = numbered(spans, period_ms * MS)
    assert [bracket.number for bracket in found] == [n - found[0].number * -1 for n in range(40)]
    grid = regular_grid(found, period_ms * MS) or jittering_grid(found, period_ms * MS)
    assert grid is not None
    for bracket, number in zip(found, range(40), strict=True):
        miss_ns = grid.instant_ns(bracket.number) - number * period_ms * MS
        assert abs(miss_ns) <= 2 * grid.half_ns(bracket.number)


@given(period_ms=st.floats(15, 1100), seed=st.integers(0, 99), count=st.integers(3, 10))
def test_a_few_refreshes_tell_the_phase_of_a_known_period(
    period_ms: float, seed: int, count: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    found = []
    for number in sorted(rng.sample(range(60), count)):
        width_ns, share = 0.4 * period_ms * MS, rng.random()
        refresh_ns = number * period_ms * MS
        found.append(
            Bracket(number, refresh_ns - share * width_ns, refresh_ns + (1 - share) * width_ns)
        )
    grid = phase_grid(found, period_ms * MS)
    assert grid is not None
    for number in (0, 30, 59):
        miss_ns = grid.instant_ns(number) - number * period_ms * MS
        assert abs(miss_ns) <= grid.half_ns(number) + 1


def test_brackets_that_no_phase_suits_have_no_grid() -> None:
    assert phase_grid(brackets(100 * MS, 0.0, jitter_ns=5 * MS), 100 * MS) is None
    assert phase_grid(brackets(103 * MS, 0.0), 100 * MS) is None
    assert phase_grid(brackets(100 * MS, 0.0)[:2], 100 * MS) is None


def polled(share: float, seed: int, *, unlike: float = 0.3, alone: bool = True) -> list[Bracket]:
    """Refreshes every 100 ms, polled by calls of about 0.2 ms that answer after a share of them.

    Unless *alone*, each answers after a share of its own.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation
    found = []
    for number in range(80):
        calls_ns = [0.2 * MS * rng.lognormvariate(0, unlike) for _ in range(2)]
        first, last = (share, share) if alone else (rng.random(), rng.random())
        pause_ns, ahead = 0.6 * MS, rng.random()
        earliest_ns = number * 100 * MS - ahead * pause_ns - first * calls_ns[0]
        latest_ns = number * 100 * MS + (1 - ahead) * pause_ns + (1 - last) * calls_ns[1]
        found.append(Bracket(number, earliest_ns, latest_ns, calls_ns[0], calls_ns[1]))
    return found


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_grid_is_found_whichever_share_of_their_time_polls_answer_after(share: float) -> None:
    held = []
    for seed in range(40):
        grid = answered_grid(polled(share, seed), 100.1 * MS)
        assert grid is not None
        for number in (0, 40, 79):
            late_ns = grid.instant_ns(number) - number * 100 * MS
            held.append(abs(late_ns) <= 1.96 * math.hypot(*grid.misplaced_ns(number)))
    assert sum(held) >= 0.95 * len(held)


def test_polls_of_unlike_lengths_tell_when_they_answer() -> None:
    def unsure_ns(unlike: float) -> float:
        grids = [answered_grid(polled(0.8, seed, unlike=unlike), 100 * MS) for seed in range(20)]
        return median(grid.unsure_ns for grid in grids if grid is not None)

    assert unsure_ns(0.0) == pytest.approx(0.26 * MS / math.sqrt(12), rel=0.1)
    assert unsure_ns(0.5) < 0.6 * unsure_ns(0.0)


def test_the_period_is_known_better_than_without_what_polls_have_in_common() -> None:
    brackets = polled(0.8, 3)
    together, each = answered_grid(brackets, 100 * MS), regular_grid(brackets, 100 * MS)
    assert together is not None
    assert each is not None
    assert together.unsure_period_ns < 0.7 * each.unsure_period_ns


def test_polls_that_answer_at_any_time_leave_no_grid_with_a_share_of_all() -> None:
    unlike = [polled(0.5, seed, unlike=1.0, alone=False) for seed in range(20)]
    assert sum(answered_grid(brackets, 100 * MS) is None for brackets in unlike) >= 15
    assert all(regular_grid(brackets, 100 * MS) is not None for brackets in unlike)
