"""How long a run will still take."""

from __future__ import annotations

from pytest_llem.runs.pace import Pace

S = 1_000_000_000


def test_what_is_left_takes_as_long_as_what_was() -> None:
    now = 0
    pace = Pace(planned=4, clock=lambda: now)
    pace.begin()
    now += 10 * S
    assert pace.left_s() is None
    pace.end(told_again=False)
    assert pace.left_s() == 30
    pace.begin()
    now += 4 * S
    assert pace.left_s() == 26
    now += 16 * S
    assert pace.left_s() == 20
    pace.end(told_again=False)
    assert pace.left_s() == 2 * 15


def test_what_had_ended_before_takes_no_time() -> None:
    now = 0
    pace = Pace(planned=3, clock=lambda: now)
    pace.begin()
    pace.end(told_again=True)
    assert pace.left_s() is None
    pace.begin()
    now += 7 * S
    pace.end(told_again=False)
    assert pace.left_s() == 7


def test_more_than_was_planned_is_not_foretold() -> None:
    pace = Pace(planned=1, clock=lambda: 0)
    pace.begin()
    pace.end(told_again=False)
    assert pace.left_s() is None
