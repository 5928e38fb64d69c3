"""Readings that cannot be true: mended where that is honest, named always."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instruments.curves import Constant, Square
from instruments.recordings import MS, SECOND, Sensor, edited, recorded
from instruments.strategies import loads
from pytest_llem.devices.meter import Facts
from pytest_llem.energy.estimator.readings import readings_between
from pytest_llem.energy.estimator.repair import implausible_w, repaired
from pytest_llem.energy.estimator.window import estimate_window

if TYPE_CHECKING:
    from instruments.curve import Curve
    from pytest_llem.energy.sampling.trace import Trace

START_NS = 1_000 * SECOND
BUSY = Square(low_w=150.0, high_w=600.0, period_ns=700 * MS)
WRAP_J = 2.0**32 / 1e6


def at_ns(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


@pytest.fixture(scope="module")
def busy() -> Trace:
    trace = recorded(BUSY, Sensor(phase_ns=37 * MS, power_phase_ns=11 * MS), seconds=12)
    trace.facts.append(Facts(START_NS, power_limit_w=700.0))
    return trace


@given(
    begin_s=st.floats(3.6, 7.3),
    count=st.integers(1, 5),
    by_j=st.floats(3000, 1e7) | st.floats(-1e7, -100),
)
@example(begin_s=3.828125, count=5, by_j=3000.0)  # the next value may be of either of two refreshes
@settings(max_examples=30)
def test_a_spike_of_the_counter_is_left_out_and_named(
    busy: Trace, begin_s: float, count: int, by_j: float
) -> None:
    struck = [t for t in busy.before_ns if t >= at_ns(begin_s)][:count]
    odd = edited(busy, energy_j=lambda t, value: value + by_j if t in struck else value)
    plain = estimate_window(busy, at_ns(4), at_ns(7))
    window = estimate_window(odd, at_ns(4), at_ns(7))
    assert window.valid
    assert window.energy_j is not None
    assert plain.energy_j is not None
    assert plain.uncertainty_j is not None
    assert window.energy_j == pytest.approx(plain.energy_j, abs=2 * plain.uncertainty_j + 1)
    (said,) = [text for text in window.warnings if "leapt" in text]
    assert "came back" in said


@pytest.mark.parametrize("wrap_s", [3.2, 4.01, 5.5, 6.99])
def test_a_counter_that_wraps_is_carried_on_and_named(busy: Trace, wrap_s: float) -> None:
    at_wrap_j = next(
        value for t, value in zip(busy.before_ns, busy.energy_j, strict=True) if t > at_ns(wrap_s)
    )
    wrapped = edited(busy, energy_j=lambda _, value: (value - at_wrap_j) % WRAP_J)
    window = estimate_window(wrapped, at_ns(4), at_ns(7))
    plain = estimate_window(busy, at_ns(4), at_ns(7))
    assert window.energy_j == pytest.approx(plain.energy_j, abs=1e-3)
    assert any("wrapped at 4294.97 J" in text for text in window.warnings) == (wrap_s > 3.5)


@pytest.mark.parametrize("bits", [31, 32])
def test_a_counter_that_is_reset_near_the_end_of_a_range_has_not_wrapped(
    busy: Trace, bits: int
) -> None:
    first_j = busy.energy_j[0]
    near_j = 0.99 * 2.0**bits / 1e3 - first_j
    reset_j = next(v for t, v in zip(busy.before_ns, busy.energy_j, strict=True) if t > at_ns(5))
    reset = edited(
        busy, energy_j=lambda t, value: value + near_j if t <= at_ns(5) else value - reset_j
    )
    window = estimate_window(reset, at_ns(4), at_ns(7))
    assert not window.valid
    assert any("the energy counter went backwards" in text for text in window.warnings)


def test_a_counter_that_leaps_for_good_makes_the_window_invalid_and_says_by_what(
    busy: Trace,
) -> None:
    leapt = edited(busy, energy_j=lambda t, value: value + 90_000 if t > at_ns(5) else value)
    window = estimate_window(leapt, at_ns(4), at_ns(7))
    assert not window.valid
    assert window.energy_j is None
    assert "more than the device can use" in window.warnings[0]
    assert window.integrated_energy_j == pytest.approx(BUSY.energy_j(at_ns(4), at_ns(7)), rel=0.2)
    assert estimate_window(leapt, at_ns(6), at_ns(8)).valid


@pytest.mark.parametrize("by_j", [900.0, 700.0])
def test_a_leap_that_no_refresh_can_hold_makes_the_window_invalid(by_j: float) -> None:
    steady = recorded(Constant(300.0), Sensor(phase_ns=37 * MS), seconds=12)
    steady.facts.append(Facts(START_NS, power_limit_w=700.0))
    leapt = edited(steady, energy_j=lambda t, value: value + by_j if t > at_ns(5) else value)
    window = estimate_window(leapt, at_ns(4), at_ns(7))
    assert not window.valid
    assert "more than the device can use" in window.warnings[0]
    assert estimate_window(leapt, at_ns(6), at_ns(8)).valid


def test_what_a_counter_caught_up_after_readings_were_missing_is_no_leap() -> None:
    steady = recorded(Constant(600.0), Sensor(phase_ns=37 * MS), seconds=12)
    steady.facts.append(Facts(START_NS, power_limit_w=700.0))
    hole = edited(steady, keep=lambda t: not at_ns(5) < t < at_ns(6.5))
    window = estimate_window(hole, at_ns(4), at_ns(8))
    assert window.valid
    assert window.energy_j == pytest.approx(2400.0, rel=0.01)
    stood = next(v for t, v in zip(steady.before_ns, steady.energy_j, strict=True) if t > at_ns(5))
    still = edited(steady, energy_j=lambda t, v: stood if at_ns(5) < t < at_ns(6.5) else v)
    assert estimate_window(still, at_ns(4), at_ns(8)).valid


def test_many_spikes_are_told_in_one_sentence(busy: Trace) -> None:
    struck = set(busy.before_ns[::7])
    odd = edited(busy, energy_j=lambda t, value: value + 90_000 if t in struck else value)
    window = estimate_window(odd, at_ns(4), at_ns(7))
    plain = estimate_window(busy, at_ns(4), at_ns(7))
    assert window.energy_j == pytest.approx(plain.energy_j, rel=0.02)
    count = sum(at_ns(3.5) <= t <= at_ns(7.5) for t in struck)
    (said,) = [text for text in window.warnings if "leapt" in text]
    assert f"leapt {count} times by up to 900" in said
    assert f"and came back; {count} readings left out" in said


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("by_j", [90_000.0, -2500.0])
def test_a_spike_of_the_first_readings_is_left_out_and_named(
    busy: Trace, count: int, by_j: float
) -> None:
    struck = busy.before_ns[:count]
    odd = edited(busy, energy_j=lambda t, v: v + 3000 + (by_j if t in struck else 0))
    mended = repaired(readings_between(odd, START_NS, at_ns(12)), 2100.0)
    (note,) = mended.notes
    assert f"began {by_j:+.6g} J off" in note.text
    assert f"{count} reading" in note.text
    assert mended.readings.with_energy().energy_j == [v + 3000 for v in busy.energy_j[count:]]


def test_power_that_the_device_cannot_draw_is_left_out_and_named(busy: Trace) -> None:
    struck = [t for t in busy.before_ns if t >= at_ns(5.1)][:3]
    odd = edited(busy, power_w=lambda t, value: 80_000.0 if t in struck else value)
    window = estimate_window(odd, at_ns(4), at_ns(7))
    assert window.valid
    assert window.integrated_energy_j == pytest.approx(BUSY.energy_j(at_ns(4), at_ns(7)), rel=0.2)
    assert [text for text in window.warnings if "more than the device can draw" in text]


def test_slow_calls_and_empty_answers_are_counted() -> None:
    sensor = Sensor(phase_ns=37 * MS, slow_share=0.05, slow_ns=50 * MS)
    trace = recorded(Constant(300.0), sensor, seconds=12, seed=3)
    rng = random.Random(1)  # noqa: S311 - a simulation
    holes = edited(trace, energy_j=lambda _, value: None if rng.random() < 0.2 else value)
    said = "; ".join(estimate_window(holes, at_ns(4), at_ns(6)).warnings)
    assert "driver calls took longer than 20 ms, up to 50 ms" in said
    assert "readings gave no energy" in said


@settings(max_examples=40, deadline=None)
@given(load=loads(), seed=st.integers(0, 1000))
def test_honest_readings_are_not_mended(load: Curve, seed: int) -> None:
    trace = recorded(load, Sensor(jitter_ns=3.0 * MS, slow_share=0.02), seconds=4, seed=seed)
    readings = readings_between(trace, START_NS, at_ns(4))
    assert repaired(readings, implausible_w(None)) == (readings, ())
