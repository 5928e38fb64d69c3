from __future__ import annotations

import math
import random
from statistics import median
from typing import TYPE_CHECKING

import pytest

from pytest_llem.energy.warm_up.steady import LEAST_PASSES, SteadyState

if TYPE_CHECKING:
    from collections.abc import Iterator


def followed(state: SteadyState, durations_s: list[float]) -> int:
    """Passes until it was decided."""
    for count, duration_s in enumerate(durations_s, start=1):
        state.add(duration_s)
        if state.decided:
            return count
    return 0


def test_equal_passes_are_steady_as_soon_as_there_are_enough() -> None:
    state = SteadyState(least_s=0.0, limit_s=60.0)
    assert followed(state, [0.1] * 50) == LEAST_PASSES
    assert state.converged
    assert "drifted by 0.0%" in state.reason


def test_the_least_time_is_kept() -> None:
    state = SteadyState(least_s=2.0, limit_s=60.0)
    assert followed(state, [0.125] * 50) == 16
    assert state.converged


def test_passes_that_go_on_getting_faster_never_are_steady() -> None:
    state = SteadyState(least_s=0.0, limit_s=5.0)
    assert (
        followed(state, [1.0 * 0.8**i for i in range(8)] + [0.01 * 0.8**i for i in range(9)]) == 0
    )
    assert not state.converged


def test_out_of_time_is_decided_without_convergence() -> None:
    state = SteadyState(least_s=0.0, limit_s=3.0)
    assert followed(state, [0.1 * 1.3**i for i in range(30)])
    assert not state.converged
    assert "not steady within" in state.reason


def test_too_few_passes_within_the_limit_are_said() -> None:
    state = SteadyState(least_s=0.0, limit_s=2.0)
    assert followed(state, [3.0]) == 1
    assert not state.converged
    assert state.reason.startswith("only 1 pass in 3.0 s")


def test_a_slow_start_is_outgrown() -> None:
    rng = random.Random(1)  # noqa: S311 - a simulation
    state = SteadyState(least_s=0.0, limit_s=60.0)
    durations_s = [2.0, 1.2, 0.5, 0.3, 0.2] + [rng.gauss(0.1, 0.002) for _ in range(60)]
    assert followed(state, durations_s) > LEAST_PASSES
    assert state.converged


def test_single_slow_passes_are_forgiven() -> None:
    state = SteadyState(least_s=1.5, limit_s=60.0)
    assert followed(state, [0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1] * 10)
    assert state.converged


def test_passes_of_no_time_are_steady() -> None:
    state = SteadyState(least_s=0.0, limit_s=1.0)
    assert followed(state, [0.0] * 20) == LEAST_PASSES
    assert state.converged


def test_passes_alone_do_not_decide_while_something_else_is_unsteady() -> None:
    state = SteadyState(least_s=0.0, limit_s=60.0)
    for _ in range(50):
        state.add(0.1, elsewhere=False)
    assert not state.decided
    assert state.criterion.holds
    state.add(0.1, elsewhere=True)
    assert state.decided
    assert state.converged


def test_what_was_seen_of_the_passes_is_told_with_its_figures() -> None:
    state = SteadyState(least_s=0.0, limit_s=3.0)
    followed(state, [0.1 * 1.3**i for i in range(30)])
    assert state.criterion.name == "latency"
    assert state.criterion.holds is False
    assert state.criterion.value is not None
    assert state.criterion.limit is not None
    assert state.criterion.value > state.criterion.limit


def test_nothing_seen_is_undecided() -> None:
    state = SteadyState(least_s=0.0, limit_s=1.0)
    assert not state.decided
    assert state.reason == "no pass was seen"


def noisy(
    pass_s: float, noise: float, seed: int, *, growth: float = 0.0, memory: float = 0.0
) -> Iterator[float]:
    """Passes with relative noise, which remembers so much of itself, and a trend."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    level, strayed = pass_s, rng.gauss(0, noise)
    while True:
        yield level * (1 + strayed)
        strayed = memory * strayed + rng.gauss(0, noise) * math.sqrt(1 - memory**2)
        level *= 1 + growth


def until_decided(durations_s: Iterator[float], *, least_s: float = 5.0) -> SteadyState:
    state = SteadyState(least_s=least_s, limit_s=30.0)
    while not state.decided:
        state.add(next(durations_s))
    return state


@pytest.mark.parametrize("least_s", [0.1, 5.0])
@pytest.mark.parametrize("growth", [0.05, 0.04, 0.01, -0.01, -0.05])
@pytest.mark.parametrize("pass_s", [0.05, 0.2, 0.25, 0.5, 2.0])
def test_a_trend_does_not_excuse_itself(pass_s: float, growth: float, least_s: float) -> None:
    growing = [pass_s * (1 + growth) ** number for number in range(60)]
    state = SteadyState(least_s=least_s, limit_s=2 * sum(growing))
    assert followed(state, growing) == 0


@pytest.mark.parametrize(
    ("pass_s", "noise", "growth"),
    [(0.05, 0.03, 0.01), (0.2, 0.01, 0.01), (0.2, 0.03, 0.05), (0.5, 0.01, 0.05)],
)
def test_a_trend_beneath_noise_is_seen(pass_s: float, noise: float, growth: float) -> None:
    states = [until_decided(noisy(pass_s, noise, seed, growth=growth)) for seed in range(200)]
    assert sum(state.converged for state in states) <= 0.05 * len(states)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("noise", [0.002, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("pass_s", [0.05, 0.5, 2.0])
def test_noise_that_goes_nowhere_is_steady(pass_s: float, noise: float, memory: float) -> None:
    states = [until_decided(noisy(pass_s, noise, seed, memory=memory)) for seed in range(200)]
    assert sum(state.converged for state in states) >= 0.97 * len(states)


def settling(
    pass_s: float, by: float, settles_s: float, noise: float, seed: int
) -> Iterator[tuple[float, float]]:
    """Passes whose time approaches a level: when each ends, and how long it takes."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    now_s = 0.0
    while True:
        duration_s = pass_s * (1 + by * math.exp(-now_s / settles_s)) * rng.gauss(1, noise)
        now_s += duration_s
        yield now_s, duration_s


@pytest.mark.parametrize(("by", "settles_s"), [(0.5, 2.0), (0.5, 10.0), (0.5, 30.0), (-0.1, 10.0)])
@pytest.mark.parametrize("pass_s", [0.005, 0.1, 0.5])
def test_short_passes_that_settle_slowly_are_waited_for(
    pass_s: float, by: float, settles_s: float
) -> None:
    """They hardly change from one to the next, and by much while windows are measured."""
    windows_s = 5.0
    for seed in range(20):
        state = SteadyState(least_s=0.5, limit_s=30.0, lasting_s=windows_s)
        passes, now_s = settling(pass_s, by, settles_s, 0.005, seed), 0.0
        while not state.decided:
            now_s, duration_s = next(passes)
            state.add(duration_s)
        now, then = (1 + by * math.exp(-t / settles_s) for t in (now_s, now_s + windows_s))
        assert not state.converged or abs(then / now - 1) < 0.025


@pytest.mark.parametrize(("pass_s", "noise"), [(0.005, 0.1), (0.1, 0.1), (0.1, 0.3), (0.5, 0.1)])
def test_what_scatters_is_looked_at_for_about_as_long_as_it_is_measured(
    pass_s: float, noise: float
) -> None:
    took_s = []
    for seed in range(40):
        state = SteadyState(least_s=0.5, limit_s=60.0, lasting_s=5.0)
        passes = (pass_s * max(1 + stray, 0.1) for stray in strays(noise, seed))
        took_s.append(followed_s(state, passes))
        assert state.converged
    assert median(took_s) <= 2 * 5.0


def strays(noise: float, seed: int) -> Iterator[float]:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    while True:
        yield rng.gauss(0, noise)


def followed_s(state: SteadyState, durations_s: Iterator[float]) -> float:
    """How long it took until it was decided."""
    total_s = 0.0
    while not state.decided:
        duration_s = next(durations_s)
        total_s += duration_s
        state.add(duration_s)
    return total_s


def test_time_between_passes_counts_towards_the_limit() -> None:
    state = SteadyState(least_s=0.0, limit_s=10.0)
    state.add(0.1, elsewhere=False, elapsed_s=11.0)
    assert state.decided
    assert not state.converged
