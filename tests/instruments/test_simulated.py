"""The instrument in virtual time shows what the driver double shows of the same card."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.cards import CARDS, Card
from instruments.curves import Constant, Curve, Square
from instruments.gpu import Gpu
from instruments.recordings import MS, SECOND, Sensor, SimulatedCard, recorded, sensor_like
from instruments.refresh import Refresh
from instruments.strategies import loads

if TYPE_CHECKING:
    from pytest_llem.energy.sampling.trace import Trace

START_NS = 1_000 * SECOND
"""When virtual time begins."""
EARLY_NS = START_NS - 3 * SECOND
"""From when simulated cards refresh."""


def twin(curve: Curve, sensor: Sensor) -> Gpu:
    """The GPU of the double that has this sensor."""
    counter = Refresh(period_ns=sensor.refresh_ns, phase_ns=EARLY_NS + sensor.phase_ns)
    power = Refresh(period_ns=sensor.power_refresh_ns, phase_ns=EARLY_NS + sensor.power_phase_ns)
    return Gpu(
        curve=curve,
        origin_ns=counter.instant(0),
        counter=counter,
        counter_window_ns=sensor.counter_window_ns,
        sampled_from_ns=counter.instant(0),
        counter_gain=sensor.counter_gain,
        counter_resolution_mj=round((sensor.quantum_j or 0) * 1000),
        instant=power,
        instant_window_ns=sensor.averaging_ns or 0,
        instant_lag_ns=sensor.power_lag_ns,
        instant_gain=sensor.power_gain,
        instant_resolution_mw=round(sensor.power_quantum_w * 1000),
    )


@st.composite
def sensors(draw: st.DrawFn) -> Sensor:
    card = draw(st.sampled_from(CARDS))
    return sensor_like(
        card,
        random.Random(draw(st.integers(0, 99))),  # noqa: S311 - a simulation
        sampling=draw(st.booleans()),
        counter_gain=draw(st.floats(0.94, 1.11)),
        power_gain=draw(st.floats(0.94, 1.11)),
        quantum_j=draw(st.sampled_from([0.001, 0.1, 1.0])),
        power_quantum_w=draw(st.sampled_from([0.001, 0.1, 1.0])),
        power_lag_ns=draw(st.sampled_from([0, 0, 80 * MS, 800 * MS])),
    )


@given(curve=loads(), sensor=sensors(), times_ms=st.lists(st.integers(0, 5000), min_size=1))
def test_both_instruments_agree(curve: Curve, sensor: Sensor, times_ms: list[int]) -> None:
    card, gpu = SimulatedCard(curve, sensor, START_NS, 0), twin(curve, sensor)
    shown_j = [card.energy_j(START_NS + t * MS) for t in [0, *sorted(times_ms)]]
    expected_mj = [gpu.counter_mj(START_NS + t * MS) for t in [0, *sorted(times_ms)]]
    for (a_j, b_j), (a_mj, b_mj) in zip(pairwise(shown_j), pairwise(expected_mj), strict=True):
        assert a_j is not None
        assert b_j is not None
        # they count from other origins, so that steps of a counter may fall apart by one
        assert b_j - a_j == pytest.approx((b_mj - a_mj) / 1000, abs=1.01 * (sensor.quantum_j or 0))
    for t in times_ms:
        power_w = card.power_w(START_NS + t * MS)
        assert power_w == pytest.approx(
            gpu.instant_shown_mw(START_NS + t * MS) / 1000, abs=1.01 * sensor.power_quantum_w
        )


def rate_w(trace: Trace) -> float:
    """What the counter says of power from its first to its last refresh in a trace."""
    rows = pairwise(zip(trace.before_ns, trace.energy_j, strict=True))
    refreshed = [(t_ns, value) for (_, before), (t_ns, value) in rows if value != before]
    (first_ns, first_j), (last_ns, last_j) = refreshed[0], refreshed[-1]
    return (last_j - first_j) / (last_ns - first_ns) * SECOND


@pytest.mark.parametrize(("phase_ms", "mean_w"), [(0, 100.0), (25, 500.0)])
def test_a_counter_that_samples_may_see_nothing_but_the_load_or_none_of_it(
    phase_ms: int, mean_w: float
) -> None:
    load = Square(low_w=100.0, high_w=500.0, period_ns=100 * MS, duty=0.25, origin_ns=EARLY_NS)
    sensor = Sensor(phase_ns=phase_ms * MS, counter_window_ns=25 * MS)
    assert rate_w(recorded(load, sensor, seconds=5)) == pytest.approx(mean_w, rel=0.02)


def test_gain_is_in_every_reading() -> None:
    sensor = Sensor(counter_gain=1.05, power_gain=0.95)
    trace = recorded(Constant(400.0), sensor, seconds=3)
    assert rate_w(trace) == pytest.approx(420.0, rel=0.02)
    assert set(trace.power_w) == {380.0}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_is_simulated_as_it_is_built(card: Card) -> None:
    sensor = sensor_like(card, random.Random(3), sampling=True)  # noqa: S311 - a simulation
    gpu = card.gpu(Constant(1.0), sampling=True)
    assert sensor.refresh_ns == gpu.counter.period_ns
    assert sensor.counter_window_ns == gpu.counter_window_ns
    assert (sensor.power_refresh_ns, sensor.averaging_ns) == (
        gpu.instant.period_ns,
        gpu.instant_window_ns,
    )
    assert (sensor.counter_window_ns > 0) == (card.share < 1)


def test_refreshes_of_counter_and_power_jitter_apart() -> None:
    ramp = Square(low_w=100.0, high_w=500.0, period_ns=SECOND)
    moved = SimulatedCard(ramp, Sensor(power_jitter_ns=5.0 * MS), START_NS, 0)
    plain = SimulatedCard(ramp, Sensor(), START_NS, 0)
    times_ns = [START_NS + t * MS for t in range(0, 4000, 7)]
    assert [moved.energy_j(t) for t in times_ns] == [plain.energy_j(t) for t in times_ns]
    assert [moved.power_w(t) for t in times_ns] != [plain.power_w(t) for t in times_ns]
