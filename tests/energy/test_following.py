"""The energy of a device, kept up while it is read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.curves import Constant, Ramp, Square
from instruments.recordings import MS, SECOND, Sensor, Watch, edited, recorded
from pytest_llem.energy.warm_up.following import Following

if TYPE_CHECKING:
    from instruments.curve import Curve
    from pytest_llem.energy.sampling.trace import Trace

START_NS = 1_000 * SECOND
SQUARE = Square(low_w=100.0, high_w=500.0, period_ns=730 * MS)


def followed(trace: Trace, seconds: float, looks_s: float) -> Following:
    """A trace that is looked at again and again as if it were growing."""
    following = Following(trace, START_NS + SECOND)
    for number in range(1, int(seconds / looks_s)):
        following.look(START_NS + round(number * looks_s * SECOND))
    following.look(START_NS + round(seconds * SECOND))
    return following


@settings(max_examples=25)
@given(
    curve=st.sampled_from(
        [
            Constant(300.0),
            SQUARE,
            Ramp(start_w=100.0, end_w=400.0, duration_ns=9 * SECOND, origin_ns=START_NS),
        ]
    ),
    looks_s=st.floats(0.1, 1.5),
    phase_ms=st.integers(0, 99),
    counter=st.booleans(),
)
def test_energies_are_those_of_the_load(
    curve: Curve, looks_s: float, phase_ms: int, counter: bool
) -> None:
    sensor = Sensor(phase_ns=phase_ms * MS, quantum_j=0.001 if counter else None)
    following = followed(recorded(curve, sensor, seconds=10), 10, looks_s)
    for start_s, end_s in ((2.0, 4.0), (4.0, 7.3), (2.2, 7.7)):
        start_ns, end_ns = (START_NS + round(s * SECOND) for s in (start_s, end_s))
        found_j = following.course.energy_j(end_ns) - following.course.energy_j(start_ns)
        assert found_j == pytest.approx(curve.energy_j(start_ns, end_ns), abs=60.0)


def test_times_and_energies_never_go_back() -> None:
    course = followed(recorded(SQUARE, seconds=10), 10, 0.1).course
    assert course.times_ns == sorted(course.times_ns)
    assert course.energies_j == sorted(course.energies_j)
    assert len(course.times_ns) == pytest.approx(90, abs=5)


def test_a_look_reads_only_what_is_new() -> None:
    trace = recorded(Constant(300.0), seconds=10)
    following = Following(trace, START_NS + SECOND)
    following.look(START_NS + 5 * SECOND)
    for number in range(len(trace)):
        if trace.before_ns[number] < START_NS + 4 * SECOND:
            trace.energy_j[number] = math.nan
    following.look(START_NS + 9 * SECOND)
    span_ns = (START_NS + 2 * SECOND, START_NS + 8 * SECOND)
    first_j, last_j = map(following.course.energy_j, span_ns)
    assert last_j - first_j == pytest.approx(1800.0, rel=0.001)


def test_a_reset_loses_what_lay_between_two_refreshes() -> None:
    at_ns = START_NS + 5 * SECOND
    trace = recorded(Constant(300.0), seconds=10)
    first_j = trace.energy_j[0]
    changed = edited(
        trace, energy_j=lambda t, value: value - first_j - 1400 if t > at_ns else value
    )
    course = followed(changed, 10, 0.2).course
    used_j = course.energy_j(START_NS + 8 * SECOND) - course.energy_j(START_NS + 2 * SECOND)
    assert used_j == pytest.approx(1800.0, abs=65.0)


def test_a_wrap_loses_nothing() -> None:
    at_ns = START_NS + 5 * SECOND
    trace = recorded(Constant(300.0), seconds=10)
    range_j = 2.0**32 * 1e-6
    wrapped_j = next(
        energy for t, energy in zip(trace.before_ns, trace.energy_j, strict=True) if t > at_ns
    )
    changed = edited(
        trace,
        energy_j=lambda _, value: value - wrapped_j + (range_j - 1 if value < wrapped_j else 0.5),
    )
    course = followed(changed, 10, 0.2).course
    used_j = course.energy_j(START_NS + 8 * SECOND) - course.energy_j(START_NS + 2 * SECOND)
    assert used_j == pytest.approx(1800.0, abs=35.0)


def test_a_counter_tells_what_was_used_while_it_could_not_be_read() -> None:
    watch = Watch.over([Constant(300.0)], [Sensor()])
    watch.attend(4.0)
    following = Following(watch.sampler.traces[0], watch.clock() - 3 * SECOND)
    following.look(watch.clock())
    watch.meter.lost.add("GPU-0")
    watch.run(3.0)
    watch.meter.lost.clear()
    watch.attend(3.0)
    following.look(watch.clock())
    span_ns = watch.clock() - 8 * SECOND, watch.clock() - SECOND
    first_j, last_j = map(following.course.energy_j, span_ns)
    assert last_j - first_j == pytest.approx(2100.0, rel=0.01)


def test_a_counter_that_stood_still_for_long_is_followed_again() -> None:
    at_ns = START_NS + 20 * SECOND
    trace = recorded(Constant(300.0), Sensor(averaging_ns=None), seconds=30)
    stood_j = next(e for t, e in zip(trace.before_ns, trace.energy_j, strict=True) if t >= at_ns)
    still = edited(trace, energy_j=lambda t, value: stood_j if t < at_ns else value)
    course = followed(still, 30, 0.5).course
    assert not course.nodes_between(START_NS, at_ns - SECOND)
    used_j = course.energy_j(START_NS + 28 * SECOND) - course.energy_j(START_NS + 22 * SECOND)
    assert used_j == pytest.approx(1800.0, rel=0.01)


def test_what_gives_no_readings_has_no_course() -> None:
    trace = edited(recorded(Constant(300.0), seconds=5), keep=lambda _: False)
    following = followed(trace, 5, 0.5)
    assert following.course.times_ns == []


@pytest.mark.parametrize("away_s", [9.0, 11.0, 33.0])
def test_what_nobody_looked_at_for_long_is_not_missing(away_s: float) -> None:
    trace = recorded(Constant(300.0), seconds=away_s + 5)
    following = Following(trace, START_NS + SECOND)
    following.look(START_NS + 3 * SECOND)
    end_ns = START_NS + round((away_s + 4) * SECOND)
    following.look(end_ns)
    start_ns = START_NS + 2 * SECOND
    found_j = following.course.energy_j(end_ns) - following.course.energy_j(start_ns)
    assert found_j == pytest.approx(300.0 * (away_s + 2), abs=60.0)
