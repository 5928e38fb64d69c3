"""The energy of several devices under one load, with an interval that means their sum."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from instruments.curves import Square
from instruments.recordings import MS, SECOND, Sensor, Watch
from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.marks import Pass, WindowMark
from pytest_llem.energy.samples import window_sample

if TYPE_CHECKING:
    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace

PERIOD_NS = 1300 * MS
LOAD = Square(low_w=100.0, high_w=600.0, period_ns=PERIOD_NS)


def traces_of(devices: int, answered: float, seed: int) -> tuple[Trace, ...]:
    """Cards that refresh each for itself, read by one driver."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    sensors = [
        Sensor(
            phase_ns=rng.randrange(100 * MS),
            power_phase_ns=rng.randrange(100 * MS),
            answered=answered,
        )
        for _ in range(devices)
    ]
    watch = Watch.over([LOAD] * devices, sensors, seed)
    watch.attend(6)
    return watch.sampler.traces


def edges() -> tuple[int, int]:
    """From low power to high, so that being late at both edges is no way out."""
    begun_ns = (1_000 * SECOND + 1500 * MS) // PERIOD_NS * PERIOD_NS
    return begun_ns + 1000 * MS, begun_ns + 2 * PERIOD_NS + 300 * MS


def sample_of(traces: tuple[Trace, ...]) -> WindowSample:
    start_ns, end_ns = edges()
    one = Pass(start_ns=start_ns, end_ns=end_ns, requests=1, input_tokens=1, output_tokens=1)
    mark = WindowMark(phase="whole", index=0, start_ns=start_ns, end_ns=end_ns, passes=(one,))
    return window_sample(mark, traces)


@pytest.mark.parametrize("answered", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_when_a_driver_takes_its_values_is_off_for_all_devices_alike(
    answered: float, seed: int
) -> None:
    found = sample_of(traces_of(8, answered, seed))
    assert found.energy_j is not None
    assert found.energy_uncertainty_j is not None
    assert abs(found.energy_j - 8 * LOAD.energy_j(*edges())) <= found.energy_uncertainty_j


def test_only_what_is_off_for_all_devices_alike_adds_up() -> None:
    trace = traces_of(1, 0.5, 0)[0]
    alone = estimate_window(trace, *edges())
    assert alone.uncertainty_j is not None
    assert 0 < alone.alike_j < alone.uncertainty_j
    four = sample_of((trace,) * 4)
    own_j2 = alone.uncertainty_j**2 - alone.alike_j**2
    assert four.energy_uncertainty_j == pytest.approx((4 * own_j2 + 16 * alone.alike_j**2) ** 0.5)
    assert sample_of((trace,)).energy_uncertainty_j == alone.uncertainty_j


def test_of_a_sum_nothing_is_known_where_one_device_is_not() -> None:
    read, lost = traces_of(2, 0.5, 0)
    start_ns, end_ns = edges()
    found = sample_of((read, lost.until((start_ns + end_ns) // 2)))
    assert (found.energy_j, found.energy_uncertainty_j, found.valid) == (None, None, False)
