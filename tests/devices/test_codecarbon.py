"""CodeCarbonMeter through a package that answers like CodeCarbon, in time of the test's own."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.codecarbon_double import Machine
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.assignment import devices_for
from pytest_llem.devices.codecarbon import BEAT_NS, CodeCarbonMeter, assumptions
from pytest_llem.devices.selection import BEST_FIRST, CPU_FIRST, MeterRequest, choose_meter
from pytest_llem.errors import MeterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.devices.meter import Reading

MS = 1_000_000


class Timeline:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns


def read_every(meter: CodeCarbonMeter, now: Timeline, gaps_ms: list[int]) -> list[Reading]:
    (device,) = meter.discover()
    readings = [meter.read(device)]
    for gap_ms in gaps_ms:
        now.now_ns += gap_ms * MS
        readings.append(meter.read(device))
    return readings


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine()
    found.install(monkeypatch)
    assumptions.cache_clear()
    yield found
    assumptions.cache_clear()


def test_power_over_time_is_joules_of_all_parts(machine: Machine) -> None:
    machine.gpu_w = 300.0
    readings = read_every(CodeCarbonMeter(now := Timeline()), now, [40] * 100)
    known = [reading for reading in readings if reading.energy_j is not None]
    first, last = known[0], known[-1]
    assert first.energy_j is not None
    assert last.energy_j is not None
    seconds = (last.before_ns - first.before_ns) / 1e9
    assert last.energy_j - first.energy_j == pytest.approx((40 + 20 + 300) * seconds)
    assert {reading.power_w for reading in readings} == {None}


def test_a_reading_says_of_which_instant_it_speaks(machine: Machine) -> None:
    now = Timeline()
    started_ns = now()
    readings = read_every(CodeCarbonMeter(now), now, [40] * 20)
    for number, reading in enumerate(readings):
        at_ns = started_ns + number * 40 * MS - BEAT_NS
        assert reading.before_ns == reading.after_ns == at_ns
        if at_ns < started_ns:
            assert reading.energy_j is None
        else:
            assert reading.energy_j == pytest.approx(60 * (at_ns - started_ns) / 1e9)


def test_codecarbon_is_asked_on_its_beat_however_often_we_look(machine: Machine) -> None:
    read_every(CodeCarbonMeter(now := Timeline()), now, [4] * 500)
    assert machine.asked == 2000 // 200


@given(
    steps=st.lists(st.tuples(st.integers(1, 900), st.floats(1, 500)), min_size=2, max_size=60),
)
def test_energy_never_falls_and_adds_up(steps: list[tuple[int, float]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        machine = Machine()
        machine.install(monkeypatch)
        assumptions.cache_clear()
        now = Timeline()
        meter = CodeCarbonMeter(now)
        (device,) = meter.discover()
        readings = [meter.read(device)]
        for gap_ms, machine.cpu_w in steps:
            now.now_ns += gap_ms * MS
            readings.append(meter.read(device))
        assumptions.cache_clear()
    energies = [reading.energy_j for reading in readings if reading.energy_j is not None]
    assert energies == sorted(energies)
    for a, b in pairwise(readings):
        if a.energy_j is None or b.energy_j is None:
            continue
        watts = (b.energy_j - a.energy_j) / (b.before_ns - a.before_ns) * 1e9
        lowest = min(power_w for _, power_w in steps)
        highest = max(power_w for _, power_w in steps)
        assert 20 + lowest - 1e-6 <= watts <= 20 + highest + 1e-6


def test_it_is_called_an_estimate_and_says_what_it_assumes(machine: Machine) -> None:
    machine.gpu_w = 70.0
    choice = choose_meter(MeterRequest("codecarbon"))
    (device,) = choice.devices
    assert not choice.measured
    assert choice.why == (
        "CodeCarbon's model: Example 9000 by its load and 240 W, memory as 20 W, 1 × NVIDIA L4"
    )
    assert (device.capability.scope, device.capability.method) == ("node", "estimated")
    for where in ("auto", "cpu", "cuda"):
        assert devices_for(ExperimentConfig(device=where), [device], {}) == [device]


def test_an_unknown_processor_is_taken_for_codecarbons_constant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Machine(tdp_w=None).install(monkeypatch)
    assumptions.cache_clear()
    assert "by its load and 85 W" in CodeCarbonMeter().discover()[0].name
    assumptions.cache_clear()


def test_it_will_not_do_where_measurement_is_required(machine: Machine) -> None:
    with pytest.raises(MeterError, match=r"has to be measured, but the meter 'codecarbon' estim"):
        choose_meter(MeterRequest("codecarbon", require_measured=True))


def test_gpus_that_cannot_be_read_are_a_loss_and_not_nothing(machine: Machine) -> None:
    machine.gpu_w = 300.0
    meter = CodeCarbonMeter(now := Timeline())
    (device,) = meter.discover()
    meter.read(device)
    machine.gpu_w = 0.0
    now.now_ns += BEAT_NS
    with pytest.raises(MeterError, match="could not read the GPUs"):
        meter.read(device)
    machine.gpu_w = 300.0
    now.now_ns += BEAT_NS
    assert meter.read(device).energy_j is not None


def test_one_gpu_of_several_that_cannot_be_read_is_a_loss_too(machine: Machine) -> None:
    machine.gpu_w, machine.gpus, machine.second_dies = 300.0, 3, {1}
    meter = CodeCarbonMeter(now := Timeline())
    (device,) = meter.discover()
    meter.read(device)
    now.now_ns += BEAT_NS
    meter.read(device)
    machine.unread = {2}
    now.now_ns += BEAT_NS
    with pytest.raises(MeterError, match="could not read the GPUs of index 2, and would count"):
        meter.read(device)
    machine.unread = set()
    now.now_ns += BEAT_NS
    assert meter.read(device).energy_j is not None


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    assumptions.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'pytest-llem\[codecarbon\]'"):
        choose_meter(MeterRequest("codecarbon"))


def test_it_is_never_taken_unasked() -> None:
    assert BEST_FIRST == ("nvml", "zeus", "rapl")
    assert CPU_FIRST == ("rapl",)
