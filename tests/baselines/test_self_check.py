"""The same thing twice: the rate of false alarms, and what can be seen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.samples import Sample, Side
from pytest_llem.baselines.self_check import COUNTS, at_most, self_check

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pytest_llem.baselines.comparison import Comparison

    Same = Callable[[int, int, float], list[tuple[str, Comparison]]]

RULE = "energy_per_output_token_j:2%"


def side(chance: random.Random, rounds: int, noise: float, change: float = 0.0) -> Side:
    """Processes that vary by *noise*, of five windows that vary by a tenth of it."""

    def process() -> Sample:
        location = math.log(0.4 * (1 + change)) + chance.gauss(0, noise)
        return Sample(tuple(math.exp(location + chance.gauss(0, noise / 10)) for _ in range(5)))

    return Side((tuple(process() for _ in range(rounds)),))


@pytest.fixture
def same(
    make_comparison: Callable[..., Comparison], seeded: Callable[[int], random.Random]
) -> Same:
    """Experiments that were measured against themselves in one session."""

    def same(size: int, rounds: int, noise: float) -> list[tuple[str, Comparison]]:
        chance = seeded(3)
        sides = [(side(chance, rounds, noise), side(chance, rounds, noise)) for _ in range(size)]
        return [
            (f"t{one}", make_comparison(a, b, RULE, experiment=str(one), same_session=True))
            for one, (a, b) in enumerate(sides)
        ]

    return same


def test_every_way_to_swap_the_sides_of_rounds_is_tried(
    same: Same,
) -> None:
    check = self_check(same(1, 6, 0.01))
    assert check is not None
    assert check.deals == 2**6
    assert check.false_alarms == 0
    assert check.false_alarms_at_most == pytest.approx(1 - 0.05 ** (1 / 6))


def test_what_is_systematically_slower_on_one_side_is_an_alarm_in_some_deals(
    same: Same, seeded: Callable[[int], random.Random]
) -> None:
    ((name, comparison),) = same(1, 8, 0.001)
    slower = side(seeded(5), 8, 0.001, change=0.3)
    check = self_check([(name, replace(comparison, candidate=slower))])
    assert check is not None
    assert 0 < check.false_alarms < 0.5


def test_a_noisier_machine_sees_less_and_more_processes_see_more(
    same: Same,
) -> None:
    quiet, noisy = (self_check(same(2, 8, noise)) for noise in (0.005, 0.05))
    assert quiet is not None
    assert noisy is not None
    for one, other in zip(quiet.seen, noisy.seen, strict=True):
        assert all(one.reach[count] < other.reach[count] for count in COUNTS)
        reaches = [one.reach[count] for count in COUNTS]
        assert reaches == sorted(reaches, reverse=True)
        assert all(one.stored[count] > one.reach[count] for count in COUNTS)
    assert quiet.recommended[0].tolerance < noisy.recommended[0].tolerance
    assert quiet.recommended[0].tolerance < quiet.recommended_stored[0].tolerance


def test_where_nothing_was_compared_nothing_is_said(
    same: Same,
) -> None:
    ((name, comparison),) = same(1, 3, 0.01)
    assert self_check([(name, replace(comparison, refuse=("it failed",)))]) is None
    assert self_check([]) is None


@given(share=st.floats(0, 1), independent=st.integers(1, 400))
def test_the_bound_lies_above_what_was_seen_and_closer_with_more(
    share: float, independent: int
) -> None:
    bound = at_most(share, independent)
    assert share <= bound <= 1
    assert at_most(share, 2 * independent) <= bound
