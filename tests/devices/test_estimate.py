from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.devices.estimate import DEFAULT_WATTS_PER_CORE, EstimateMeter, cpu_name

if TYPE_CHECKING:
    from pathlib import Path


class FakeClock:
    """CPU time that a test sets."""

    def __init__(self, cpu_time_s: float) -> None:
        self.value = cpu_time_s

    def cpu_time_s(self) -> float:
        return self.value


def test_cpu_seconds_become_joules_at_the_declared_watts() -> None:
    clock = FakeClock(2.0)
    meter = EstimateMeter(clock, 7.5)
    (device,) = meter.discover()
    first = meter.read(device)
    clock.value = 5.0
    second = meter.read(device)
    assert first.energy_j == 15.0
    assert second.energy_j == 37.5
    assert first.before_ns <= first.after_ns <= second.before_ns


@given(st.lists(st.floats(0, 1e6), min_size=2).map(sorted), st.floats(0.1, 500))
def test_energy_never_falls_and_is_proportional(times_s: list[float], watts: float) -> None:
    clock = FakeClock(0.0)
    meter = EstimateMeter(clock, watts)
    (device,) = meter.discover()
    energies = []
    for clock.value in times_s:
        energies.append(meter.read(device).energy_j)
    assert energies == [time_s * watts for time_s in times_s]


def test_an_estimate_gives_no_power_of_its_own() -> None:
    meter = EstimateMeter(FakeClock(1.0), 10.0)
    assert meter.read(meter.discover()[0]).power_w is None


def test_an_estimate_is_labelled_as_one() -> None:
    (device,) = EstimateMeter(FakeClock(0.0), 10.0).discover()
    assert device.uuid == "cpu-estimate"
    assert (device.capability.scope, device.capability.method) == ("process", "estimated")
    assert device.capability.resolution_j is None
    assert device.capability.update_period_s is None


def test_facts_of_an_estimate_are_unknown() -> None:
    meter = EstimateMeter(FakeClock(0.0))
    facts = meter.facts(meter.discover()[0])
    assert facts.time_ns > 0
    assert (facts.temperature_c, facts.power_limit_w, facts.throttle_reasons) == (None, None, None)
    assert meter.watts_per_core == DEFAULT_WATTS_PER_CORE
    meter.close()


def test_the_cpu_is_called_by_its_model(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Example 9000: fast\n", encoding="utf-8")
    assert cpu_name(info) == "Example 9000: fast"


def test_a_cpu_without_a_model_name_is_called_by_its_architecture(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n", encoding="utf-8")
    assert cpu_name(info)
    assert cpu_name(tmp_path / "missing") == cpu_name(info)
