from __future__ import annotations

import gc
from typing import TYPE_CHECKING, ClassVar

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu, compiler
from instruments.nvml_process import with_gpus
from pytest_llem.components.component import Component
from pytest_llem.devices import METERS, selection
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.devices.selection import MeterChoice, MeterRequest, choose_meter
from pytest_llem.errors import ConfigError, MeterError

if TYPE_CHECKING:
    from pathlib import Path

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
STEADY = Constant(300.0)
CHOOSE = """
from pytest_llem.devices.selection import MeterRequest, choose_meter

class Clock:
    def cpu_time_s(self):
        return 2.0

def choose(**request):
    return choose_meter(MeterRequest(**request))
"""


class Clock:
    def cpu_time_s(self) -> float:
        return 2.0


class Bench:
    """A meter of somebody else's, whose devices a test decides."""

    devices: ClassVar[list[Device]] = []
    error: ClassVar[Exception | None] = None
    opened: ClassVar[int] = 0
    closed: ClassVar[int] = 0

    def __init__(self) -> None:
        Bench.opened += 1

    def discover(self) -> list[Device]:
        if Bench.error is not None:
            raise Bench.error
        return Bench.devices

    def close(self) -> None:
        Bench.closed += 1


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> type[Bench]:
    """The only measuring meter there is."""
    known = Component("meters", "bench", "unused:Bench")
    monkeypatch.setattr(METERS, "_builtins", [*METERS._builtins, known])
    monkeypatch.setitem(METERS._loaded, "bench", Bench)
    monkeypatch.setattr(selection, "BEST_FIRST", ("bench",))
    for name in ("devices", "error", "opened", "closed"):
        monkeypatch.setattr(Bench, name, getattr(Bench, name))
    return Bench


def device(uuid: str, refusal: str | None = None) -> Device:
    capability = Capability("gpu", "counter", resolution_j=0.001, update_period_s=None)
    return Device(uuid, "Card", capability, refusal=refusal)


def test_auto_takes_what_can_be_measured(bench: type[Bench]) -> None:
    bench.devices = [device("a"), device("b")]
    choice = choose_meter(MeterRequest())
    assert (choice.name, choice.measured, choice.watts_per_core) == ("bench", True, None)
    assert choice.why == "bench reads 2 × Card"
    assert [found.uuid for found in choice.devices] == ["a", "b"]


def test_auto_estimates_where_nothing_can_be_measured_and_says_why(bench: type[Bench]) -> None:
    choice = choose_meter(MeterRequest(cpu_watts=10.0))
    assert (choice.name, choice.measured, choice.watts_per_core) == ("estimate", False, 10.0)
    assert choice.why == "it finds no device; CPU time × 10 W per core, declared"
    meter = choice.open(Clock())
    assert meter.read(choice.devices[0]).energy_j == 20.0


def test_a_meter_that_fails_to_start_is_the_reason_for_the_estimate(bench: type[Bench]) -> None:
    bench.error = MeterError("the driver is of another version")
    choice = choose_meter(MeterRequest())
    assert choice.why.startswith("the driver is of another version; CPU time × 6 W per core")


def test_devices_that_must_not_be_measured_are_no_devices(bench: type[Bench]) -> None:
    bench.devices = [device("a", refusal="it is cut into slices.")]
    choice = choose_meter(MeterRequest())
    assert choice.why.startswith("it is cut into slices; CPU time")
    assert bench.opened == bench.closed == 1


def test_one_usable_device_is_enough_and_the_others_stay_known(bench: type[Bench]) -> None:
    bench.devices = [device("a", refusal="it is cut into slices."), device("b")]
    choice = choose_meter(MeterRequest())
    assert choice.why == "bench reads 1 × Card"
    assert len(choice.devices) == 2


def test_a_meter_that_was_asked_for_and_has_nothing_to_read_is_an_error(
    bench: type[Bench],
) -> None:
    with pytest.raises(MeterError, match=r"'bench' has nothing to read: it finds no device.*auto"):
        choose_meter(MeterRequest("bench"))


def test_an_estimate_will_not_do_where_measurement_is_required(bench: type[Bench]) -> None:
    with pytest.raises(MeterError, match=r"has to be measured.*it finds no device"):
        choose_meter(MeterRequest(require_measured=True))
    with pytest.raises(MeterError, match="has to be measured"):
        choose_meter(MeterRequest("estimate", require_measured=True))


def test_an_unknown_meter_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no meter is called 'nvm'\. Did you mean 'nvml'"):
        choose_meter(MeterRequest("nvm"))
    with pytest.raises(ConfigError, match="Did you mean 'auto'"):
        choose_meter(MeterRequest("atuo"))


@pytest.mark.parametrize("watts", [0.0, -1.0, float("nan"), float("inf")])
def test_declared_watts_must_be_positive(watts: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        choose_meter(MeterRequest("estimate", cpu_watts=watts))


def test_the_default_watts_are_called_assumed() -> None:
    choice = choose_meter(MeterRequest("estimate"))
    assert choice.why == "asked for; CPU time × 6 W per core, assumed"


def test_the_library_stays_started_as_long_as_the_choice(bench: type[Bench]) -> None:
    bench.devices = [device("a")]
    choice: MeterChoice | None = choose_meter(MeterRequest())
    assert bench.closed == 0
    choice = None  # noqa: F841 - the last reference goes
    gc.collect()
    assert bench.closed == 1


@needs_compiler
def test_auto_reads_nvidia_gpus(tmp_path: Path) -> None:
    code = """
choice = choose()
meter = choice.open(Clock())
show([choice.name, choice.why, choice.measured, meter.read(choice.devices[0]).power_w])
"""
    gpus = [Gpu(curve=STEADY, name="NVIDIA L4"), Gpu(curve=STEADY, name="NVIDIA T4", uuid="GPU-t")]
    answer = with_gpus(tmp_path, gpus, CHOOSE + code)
    assert answer == ["nvml", "nvml reads 1 × NVIDIA L4, 1 × NVIDIA T4", True, 300.0]


@needs_compiler
@pytest.mark.parametrize(
    ("init", "reason"),
    [
        (0, "the NVIDIA driver lists no GPU"),
        (4, "NVML does not start: Insufficient Permissions (allow this user"),
        (9, "the NVIDIA driver is not loaded"),
        (18, "NVML does not start: RM has detected an NVML/RM version mismatch (reboot"),
    ],
)
def test_why_nvml_cannot_be_used_is_the_reason(tmp_path: Path, init: int, reason: str) -> None:
    code = 'show([choose().why, error(lambda: choose(name="nvml"))])'
    why, error = with_gpus(tmp_path, [], CHOOSE + code, init=init)
    assert why.startswith(reason)
    assert why.endswith("; CPU time × 6 W per core, assumed")
    assert error.startswith(f"MeterError: the meter 'nvml' has nothing to read: {reason}")


@needs_compiler
def test_a_machine_whose_gpus_are_all_in_mig_mode_is_estimated(tmp_path: Path) -> None:
    gpus = [Gpu(curve=STEADY, uuid="GPU-m", mig=1)]
    why, error = with_gpus(
        tmp_path, gpus, CHOOSE + 'show([choose().why, error(lambda: choose(name="nvml"))])'
    )
    assert why.startswith("GPU GPU-m is in MIG mode")
    assert "GPU-m is in MIG mode" in error


@needs_compiler
def test_opening_again_does_not_start_the_driver_again(tmp_path: Path) -> None:
    code = """
import os
choice = choose()
os.environ["LLEM_TEST_NVML_DOUBLE"] = "/nowhere"  # what a driver that starts now would read
for _ in range(3):
    meter = choice.open(Clock())
    watts = meter.read(choice.devices[0]).power_w
    meter.close()
show(watts)
"""
    assert with_gpus(tmp_path, [Gpu(curve=STEADY)], CHOOSE + code) == 300.0
