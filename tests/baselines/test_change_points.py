"""Change points: found where there are any, and seldom where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llem.baselines.change_points import LEAST, _best, change_points, divergence
from pytest_llem.baselines.history import detectable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Seeded = Callable[[int], random.Random]

VALUES = st.lists(st.floats(-100, 100, allow_nan=False), min_size=4, max_size=12)


def noisy(rng: random.Random, *levels: tuple[int, float], sd: float = 1.0) -> list[float]:
    """So many values at each level."""
    return [level + rng.gauss(0, sd) for count, level in levels for _ in range(count)]


@given(VALUES)
def test_the_best_split_is_the_best_of_all_splits(values: list[float]) -> None:
    splits = {
        (split, end): divergence(values[:split], values[split:end])
        for split in range(LEAST, len(values) - LEAST + 1)
        for end in range(split + LEAST, len(values) + 1)
    }
    found = _best(values, 0)
    assert found is not None
    scale = max(map(abs, values)) + 1
    assert found.divergence == pytest.approx(max(splits.values()), abs=1e-9 * scale, rel=1e-9)
    of_split = [value for (split, _), value in splits.items() if split == found.position]
    assert max(of_split) == pytest.approx(found.divergence, abs=1e-9 * scale, rel=1e-9)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=7), st.integers(1, 5))
def test_the_divergence_of_what_is_the_same_is_not_positive(values: list[int], by: int) -> None:
    assert divergence(values, values) <= 1e-9
    assert divergence(values, [value + by * 100 for value in values]) > 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
def test_neither_unit_nor_offset_matters(
    seeded: Seeded, seed: int, scale: float, offset: float
) -> None:
    values = noisy(seeded(seed), (6, 0.0), (6, 4.0))
    there = [one.position for one in change_points(values)]
    assert [one.position for one in change_points([offset + scale * v for v in values])] == there


@pytest.mark.parametrize("seed", range(6))
def test_a_step_is_found_where_it_is(seeded: Seeded, seed: int) -> None:
    values = noisy(seeded(seed), (9, 0.0), (9, 8.0))
    (found,) = [one for one in change_points(values) if one.position == 9]
    assert found.p_value <= 0.01


@pytest.mark.parametrize("seed", range(4))
def test_up_and_down_again_is_two_changes(seeded: Seeded, seed: int) -> None:
    values = noisy(seeded(seed), (10, 0.0), (8, 9.0), (10, 0.0))
    assert {10, 18} <= {one.position for one in change_points(values)}


def test_where_nothing_changes_one_series_in_twenty_seems_to(seeded: Seeded) -> None:
    """At 5 %, 200 series have 10 +- 3.1 false ones; 20 would be three deviations too many."""
    rng = seeded(1)
    false = sum(bool(change_points(noisy(rng, (10, 0.0)), permutations=99)) for _ in range(200))
    assert false <= 20


@pytest.mark.parametrize("values", [[], [1.0], [1, 2, 3], [1.0] * 30, [1.0, 9.0, 1.0, 9.0]])
def test_too_little_or_nothing_to_tell_has_no_change(values: list[float]) -> None:
    assert change_points(values) == []


def test_the_same_seed_gives_the_same_answer(seeded: Seeded) -> None:
    values = noisy(seeded(5), (8, 0.0), (8, 1.5))
    assert change_points(values, seed=3) == change_points(values, seed=3)


def test_a_short_history_can_show_nothing() -> None:
    assert [sessions for sessions in range(12) if detectable(sessions)] == [8, 9, 10, 11]


@pytest.mark.parametrize("sessions", range(4, 9))
def test_the_clearest_step_is_found_from_where_that_is_possible(sessions: int) -> None:
    half = sessions // 2
    values = [0.01 * n for n in range(half)] + [9 + 0.01 * n for n in range(sessions - half)]
    found = [one.position for one in change_points(values)]
    assert (half in found) == detectable(sessions)
