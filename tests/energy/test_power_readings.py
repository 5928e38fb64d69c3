"""Power readings: how often they are refreshed, and what each refresh showed."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Curve, Sine, Square
from instruments.recordings import MS, SECOND, Sensor, recorded
from pytest_llem.energy.estimator.integrate import Power
from pytest_llem.energy.estimator.readings import Readings, readings_between
from pytest_llem.energy.estimator.refreshes.power_period import power_period
from pytest_llem.energy.sampling.trace import UNPARTED

PERIOD_NS = 20 * MS
CALL_NS = 200_000


def looked_at(levels_w: list[float], gaps_ns: list[int]) -> Readings:
    """Calls so long after one another, of a value that is new at whole periods."""
    before_ns = [3 * MS]
    for gap_ns in gaps_ns:
        before_ns.append(before_ns[-1] + gap_ns)
    before_ns = [t for t in before_ns if t + CALL_NS < len(levels_w) * PERIOD_NS]
    powers_w = [levels_w[(t + CALL_NS // 2) // PERIOD_NS] for t in before_ns]
    count = len(before_ns)
    after_ns = [t + CALL_NS for t in before_ns]
    return Readings(before_ns, after_ns, [0.0] * count, powers_w, [UNPARTED] * count)


@given(
    levels_w=st.lists(st.sampled_from([150.0, 300.0, 600.0]), min_size=120, max_size=120),
    seed=st.integers(0, 10_000),
    pause=st.tuples(st.integers(100, 350), st.integers(25, 90)),
)
def test_no_refresh_is_said_to_have_shown_what_it_did_not(
    levels_w: list[float], seed: int, pause: tuple[int, int]
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    gaps_ns = [rng.randrange(2 * MS, 9 * MS) for _ in range(600)]
    gaps_ns[pause[0]] = pause[1] * MS
    power = Power(looked_at(levels_w, gaps_ns), float(PERIOD_NS), exact=True)
    samples = power.samples()
    for sample in samples:
        number = round(sample.time_ns / PERIOD_NS)
        if abs(sample.time_ns - number * PERIOD_NS) < MS:
            assert sample.power_w == levels_w[number]
    times_ns = [sample.time_ns for sample in samples]
    assert all(b - a > PERIOD_NS / 2 for a, b in pairwise(times_ns))


def test_what_nobody_looked_at_has_no_reading() -> None:
    levels_w = [150.0 if i % 7 < 4 else 600.0 for i in range(100)]
    levels_w[51] = 333.0
    gaps_ns = [4 * MS] * 500
    gaps_ns[253] = 36 * MS  # from before refresh 51 to after 52
    samples = Power(looked_at(levels_w, gaps_ns), float(PERIOD_NS), exact=True).samples()
    shown = [s for s in samples if abs(s.time_ns - 51 * PERIOD_NS) < PERIOD_NS / 2]
    assert shown == []


@pytest.mark.parametrize(("watts", "step_w"), [(300.0, 1.0), (300.1, 0.1), (300.123, 0.001)])
def test_power_that_never_changed_is_known_to_the_step_it_is_told_in(
    watts: float, step_w: float
) -> None:
    power = Power(looked_at([watts] * 100, [4 * MS] * 500))
    integral = power.integral(200 * MS, 1200 * MS, None)
    assert integral is not None
    assert integral.energy_j == pytest.approx(watts)
    assert integral.deviation_j == pytest.approx(step_w / math.sqrt(12))


FAST_POWER = Sensor(
    refresh_ns=20 * MS,
    phase_ns=7 * MS,
    power_refresh_ns=20 * MS,
    power_phase_ns=13 * MS,
    averaging_ns=10 * MS,
)
SLOW_POWER = replace(
    FAST_POWER, power_refresh_ns=100 * MS, power_phase_ns=43 * MS, averaging_ns=50 * MS
)


@pytest.mark.parametrize(
    ("curve", "sensor", "period_ms"),
    [
        (Square(low_w=150.0, high_w=600.0, period_ns=30 * MS), SLOW_POWER, 100),
        (Sine(middle_w=350.0, amplitude_w=200.0, period_ns=1700 * MS), SLOW_POWER, 100),
        (Square(low_w=150.0, high_w=600.0, period_ns=200 * MS), FAST_POWER, 20),
        (Square(low_w=150.0, high_w=600.0, period_ns=SECOND), FAST_POWER, 20),
        (Sine(middle_w=350.0, amplitude_w=200.0, period_ns=420 * MS), FAST_POWER, 20),
    ],
)
def test_a_reading_that_stands_still_is_told_from_a_load_that_does(
    curve: Curve, sensor: Sensor, period_ms: int
) -> None:
    trace = recorded(curve, sensor, seconds=20)
    readings = readings_between(trace, trace.before_ns[0], trace.after_ns[-1])
    found = power_period(readings.with_power(), readings.with_energy())
    assert found.ns == pytest.approx(period_ms * MS, rel=0.001)
    assert found.is_counters == (period_ms == 20)
