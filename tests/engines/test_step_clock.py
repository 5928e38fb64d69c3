"""Stamps of steps that bring one token, and of steps that bring several."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.engines.step_clock import StepClock

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ids:
    """Token ids of one sequence, of which only the shape is looked at."""

    def __init__(self, length: int) -> None:
        self.shape = (1, length)


def clock_of(lengths: Sequence[int], width: int = 10) -> StepClock:
    """A clock that ticks in hundreds, after steps that ended at these lengths."""
    ticks = count(100, 100)
    clock = StepClock(lambda: next(ticks), lambda: None, lambda rows: [False] * rows, width)
    for length in lengths:
        ids: Any = Ids(length)
        assert clock(ids, None) == [False]
    return clock


def test_with_a_token_a_step_a_token_is_stamped_by_its_own_step() -> None:
    clock = clock_of([11, 12, 13])
    assert clock.produced == [1, 2, 3]
    assert [clock.end_ns(tokens) for tokens in (1, 2, 3)] == [100, 200, 300]
    assert clock.token_ns(2) == (100, 200)


def test_tokens_that_came_together_have_one_stamp() -> None:
    clock = clock_of([11, 15, 16])
    assert clock.produced == [1, 5, 6]
    assert clock.token_ns(6) == (100, 200, 200, 200, 200, 300)
    assert clock.end_ns(4) == 200


@pytest.mark.parametrize("lengths", [[12], [11, 12]])
def test_more_tokens_than_there_are_have_no_stamp(lengths: list[int]) -> None:
    with pytest.raises(IndexError):
        clock_of(lengths).end_ns(3)
