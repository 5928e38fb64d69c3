"""What the instrument leaves open of a mean over several windows, from marks and readings on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from instruments.curves import Constant
from instruments.marked import measured_in
from instruments.recordings import MS, SECOND, Sensor, recorded
from pytest_llem.devices.meter import Facts

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace

WATTS = Sensor(quantum_j=None, power_quantum_w=1.0)
"""Power alone, told in whole watts."""


def measured(
    trace: Trace, windows: int, *, length_ns: int = SECOND // 2, gap_ns: int = 0
) -> Measured:
    """Windows of a pass each, that follow one another after *gap_ns*."""
    first_ns = trace.before_ns[0] + 3 * SECOND + 37 * MS
    starts_ns = [first_ns + index * (length_ns + gap_ns) for index in range(windows)]
    return measured_in([trace], starts_ns, length_ns)


def half_width_j(found: Measured) -> float:
    assert found.energy_uncertainty_j is not None
    return found.energy_uncertainty_j


@pytest.mark.parametrize("windows", [1, 2, 5, 10])
def test_what_all_windows_are_off_by_alike_does_not_average_out(windows: int) -> None:
    """Whole watts: 100.4 W are told as 100 W in every window."""
    trace = recorded(Constant(100.4), WATTS, seconds=12)
    found = measured(trace, windows)
    assert found.energy_j == pytest.approx(50.0)
    assert half_width_j(found) >= 0.2
    assert half_width_j(found) < 0.4


def test_it_does_not_average_out_over_windows_that_do_not_touch_either() -> None:
    trace = recorded(Constant(100.4), WATTS, seconds=12)
    assert half_width_j(measured(trace, 8, gap_ns=200 * MS)) >= 0.2


def test_an_edge_between_two_windows_does_not_count() -> None:
    """What it gives to one it takes from the other: the more windows, the less edges matter."""
    trace = recorded(Constant(300.0), Sensor(jitter_ns=2.0 * MS), seconds=14)
    single = half_width_j(measured(trace, 1))
    apart = half_width_j(measured(trace, 10, gap_ns=250 * MS))
    touching = half_width_j(measured(trace, 10))
    assert touching < apart
    assert touching < single / 2


def test_an_invalid_window_splits_the_stretch_and_is_not_in_the_interval() -> None:
    trace = recorded(Constant(100.4), WATTS, seconds=12)
    at_ns = trace.before_ns[0] + 3 * SECOND + 1_200 * MS
    trace.facts.extend(
        Facts(at_ns + number * MS, throttle_reasons=("hw_thermal_slowdown",)) for number in range(2)
    )
    found = measured(trace, 8)
    assert [sample.valid for sample in found.windows].count(False) >= 1
    assert abs(50.2 - (found.energy_j or 0)) <= half_width_j(found) < 0.4


@pytest.mark.parametrize(
    "sensor",
    [{}, {"averaging_ns": None}, {"averaging_ns": 1000 * MS}, {"quantum_j": None}],
    ids=["usual", "no power", "a second", "no counter"],
)
def test_the_mean_of_a_steady_load_is_within_its_interval(sensor: dict[str, int | None]) -> None:
    """Thirty measurements of ten windows each; 95 % are to hold the truth."""
    rng = random.Random(5)  # noqa: S311 - a simulation
    held = 0
    for seed in range(30):
        power_w = rng.uniform(100, 500)
        card = Sensor(
            phase_ns=rng.randrange(100 * MS),
            power_phase_ns=rng.randrange(100 * MS),
            answered=rng.random(),
            **sensor,  # type: ignore[arg-type]
        )
        trace = recorded(Constant(power_w), card, seconds=10, seed=seed)
        found = measured(trace, 10, length_ns=300 * MS)
        held += abs((found.energy_j or 0) - power_w * 0.3) <= half_width_j(found)
    assert held >= 28
