"""NvmlMeter end to end: pynvml, a driver library, and power that is known exactly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from instruments.curves import Constant, Piece, Pieces, Square
from instruments.nvml_double import Gpu, compiler, run_json
from instruments.nvml_process import PRELUDE, with_gpus
from instruments.refresh import Refresh
from instruments.tenants import Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")

MS = 1_000_000
STEADY = Constant(300.0)
WAVE = Square(low_w=95.0, high_w=640.0, period_ns=137 * MS, duty=0.37)
READ_A_WHILE = """
device = meter.discover()[{index}]
end = time.monotonic_ns() + {ms} * 1_000_000
readings = []
while time.monotonic_ns() < end:
    readings.append(meter.read(device))
    time.sleep(0.002)
show(readings)
"""


def test_every_reading_is_the_counter_and_the_power_of_its_instant(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=WAVE,
        counter=Refresh(period_ns=31 * MS, phase_ns=7 * MS, jitter_ns=11 * MS, seed=5),
        instant=Refresh(period_ns=10 * MS),
    )
    readings = with_gpus(tmp_path, [gpu], READ_A_WHILE.format(index=0, ms=400))
    assert len({reading["energy_j"] for reading in readings}) > 5
    for reading in readings:
        before, after = reading["before_ns"], reading["after_ns"]
        between = reading["between_ns"]
        assert before < between < after
        low, high = gpu.counter_mj(before) / 1000, gpu.counter_mj(between) / 1000
        assert low <= reading["energy_j"] <= high
        powers = [gpu.instant_w(between), gpu.instant_w(after)]
        if powers[0] == powers[1]:  # no refresh in between
            assert reading["power_w"] == pytest.approx(powers[0], abs=0.0006)


def test_energy_between_refreshes_is_the_integral_of_the_curve(tmp_path: Path) -> None:
    pieces = Pieces((Piece(70 * MS, 80.0, 500.0), Piece(40 * MS, 700.0), Piece(25 * MS, 120.0)))
    gpu = Gpu(curve=pieces, counter=Refresh(period_ns=20 * MS))
    readings = with_gpus(tmp_path, [gpu], READ_A_WHILE.format(index=0, ms=300))
    first, last = readings[0], readings[-1]
    truth_j = pieces.energy_j(
        gpu.counter.last(first["before_ns"]), gpu.counter.last(last["before_ns"])
    )
    refresh_j = 20e-3 * 700
    assert last["energy_j"] - first["energy_j"] == pytest.approx(truth_j, abs=refresh_j + 0.002)


def test_each_gpu_is_read_by_its_uuid_whatever_its_index(tmp_path: Path) -> None:
    gpus = [
        Gpu(curve=Constant(100.0 * n), uuid=f"GPU-{n}", pci=f"00000000:{9 - n:02X}:00.0")
        for n in (1, 2, 3)
    ]
    answer = with_gpus(
        tmp_path,
        gpus,
        "show([[d.uuid, d.index, meter.read(d).power_w] for d in meter.discover()])",
    )
    assert answer == [["GPU-3", 2, 300.0], ["GPU-2", 1, 200.0], ["GPU-1", 0, 100.0]]


def test_a_device_can_be_read_by_a_meter_that_has_not_discovered_it(tmp_path: Path) -> None:
    code = "device = meter.discover()[0]; meter.close(); show(NvmlMeter().read(device).power_w)"
    assert with_gpus(tmp_path, [Gpu(curve=STEADY)], code) == 300.0


def test_a_gpu_with_a_counter_says_so(tmp_path: Path) -> None:
    (device,) = with_gpus(tmp_path, [Gpu(curve=STEADY, name="NVIDIA L4")], "show(meter.discover())")
    assert device["name"] == "NVIDIA L4"
    assert device["refusal"] is None
    assert device["capability"] == {
        "scope": "gpu",
        "method": "counter",
        "resolution_j": 0.001,
        "update_period_s": None,
    }


def test_a_gpu_without_a_counter_is_integrated_and_gives_power_alone(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, unsupported=("counter",))
    code = "d = meter.discover()[0]; show([d.capability, meter.read(d)])"
    capability, reading = with_gpus(tmp_path, [gpu], code)
    assert (capability["method"], capability["resolution_j"]) == ("integrated", None)
    assert (reading["energy_j"], reading["power_w"]) == (None, 300.0)


@pytest.mark.parametrize(
    ("unsupported", "field", "power_w"),
    [
        ((), "NVML_FI_DEV_POWER_INSTANT", 400.0),
        (("instant",), "nvmlDeviceGetPowerUsage", 250.0),
        (("field_values",), "nvmlDeviceGetPowerUsage", 250.0),
        (("instant", "power"), None, None),
    ],
)
def test_power_is_instant_where_there_is_such_a_field(
    tmp_path: Path, unsupported: tuple[str, ...], field: str | None, power_w: float | None
) -> None:
    # 100 W and 400 W by turns of a day: the mean of the last two days is 250 W, now is 400 W.
    day = 86_400 * 10**9
    curve = Square(
        low_w=100.0, high_w=400.0, period_ns=2 * day, origin_ns=time.monotonic_ns() - day // 2
    )
    gpu = Gpu(curve=curve, power_window_ns=2 * day, instant_window_ns=0, unsupported=unsupported)
    code = "d = meter.discover()[0]; show([meter.power_field(d), meter.read(d).power_w])"
    assert with_gpus(tmp_path, [gpu], code) == [field, power_w]


def test_a_zero_is_no_reading(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, zero_every=3)
    code = """
device = meter.discover()[0]
show([meter.read(device) for _ in range(9)])
"""
    readings = with_gpus(tmp_path, [gpu], code)
    for value in ("energy_j", "power_w"):
        values = [reading[value] for reading in readings]
        assert values.count(None) == 3
        assert 0 not in values


def test_a_lost_gpu_is_an_error_that_names_it_and_leaves_the_others(tmp_path: Path) -> None:
    gpus = [
        Gpu(curve=STEADY, uuid="GPU-lost", lost_after_reads=3),
        Gpu(curve=STEADY, uuid="GPU-fine", pci="00000000:AA:00.0"),
    ]
    code = """
lost, fine = meter.discover()
before = meter.read(lost).power_w  # discovering was a read too
show([before, error(meter.read, lost), meter.facts(lost), meter.read(fine).power_w,
      [device.uuid for device in meter.discover()]])
"""
    before, error, facts, fine_w, left = with_gpus(tmp_path, gpus, code)
    assert before == fine_w == 300.0
    assert error.startswith("MeterError: GPU GPU-lost cannot be read any more: GPU is lost")
    assert "nvidia-smi" in error
    assert set(facts.values()) - {facts["time_ns"]} == {None}
    assert left == ["GPU-fine"]


def test_an_unknown_uuid_is_an_error_that_names_it(tmp_path: Path) -> None:
    code = """
device = dataclasses.replace(meter.discover()[0], uuid="GPU-elsewhere")
show(error(meter.read, device))
"""
    assert "GPU-elsewhere" in with_gpus(tmp_path, [Gpu(curve=STEADY)], code)


def test_a_gpu_in_mig_mode_is_listed_and_refused(tmp_path: Path) -> None:
    code = "d = meter.discover()[0]; show([d.refusal, error(meter.read, d)])"
    gpu = Gpu(curve=STEADY, uuid="GPU-sliced", mig=1)
    refusal, error = with_gpus(tmp_path, [gpu], code)
    assert "GPU-sliced is in MIG mode: its slices share one sensor" in refusal
    assert error == f"MeterError: {refusal}"


def test_a_gpu_without_any_sensor_is_listed_and_refused(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, unsupported=("counter", "power", "instant"))
    refusal = with_gpus(tmp_path, [gpu], "show(meter.discover()[0].refusal)")
    assert "neither an energy counter nor a power reading" in refusal


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, []),
        (0x1, ["gpu_idle"]),
        (0x4 | 0x40, ["sw_power_cap", "hw_thermal_slowdown"]),
        (0x80 | 0x8 | 0x1000, ["hw_slowdown", "hw_power_brake_slowdown", "unknown_0x1000"]),
    ],
)
def test_throttle_reasons_are_named(tmp_path: Path, bits: int, names: list[str]) -> None:
    code = "show(meter.facts(meter.discover()[0]).throttle_reasons)"
    assert with_gpus(tmp_path, [Gpu(curve=STEADY, throttle=bits)], code) == names


def test_facts_have_units(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=STEADY,
        temperature_c=63,
        sm_clock_mhz=1410,
        power_limit_mw=350_000,
        memory_used=123_456,
        unsupported=("event_reasons",),
        throttle=0x20,
    )
    facts = with_gpus(tmp_path, [gpu], "show(meter.facts(meter.discover()[0]))")
    assert facts.pop("time_ns") > 0
    slowed_ns = facts["slowed_ns"]
    assert slowed_ns > 0
    assert facts == {
        "temperature_c": 63.0,
        "sm_clock_mhz": 1410,
        "power_limit_w": 350.0,
        "throttle_reasons": ["sw_thermal_slowdown"],
        "memory_bytes": 123_456,
        "slowed_ns": slowed_ns,
        "processes": [],
        "foreign_processes": None,
        "wraps": None,
        "graphics_processes": [],
    }


def test_processes_on_the_gpu_are_listed(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, processes=(Process(pid=4242), Process(pid=17)))
    code = "show(meter.facts(meter.discover()[0]).processes)"
    assert with_gpus(tmp_path, [gpu], code) == [17, 4242]


@pytest.mark.parametrize(
    ("lacking", "computing"),
    [(("processes_v3",), [17]), (("processes_v3", "processes_v2"), None), (("processes",), None)],
)
def test_a_driver_without_a_call_for_processes_tells_all_else(
    tmp_path: Path, lacking: tuple[str, ...], computing: list[int] | None
) -> None:
    gpu = Gpu(curve=STEADY, processes=(Process(pid=17),), temperature_c=55, unsupported=lacking)
    facts = with_gpus(tmp_path, [gpu], "show(meter.facts(meter.discover()[0]))")
    assert (facts["processes"], facts["temperature_c"]) == (computing, 55.0)


def test_processes_that_draw_are_listed_apart(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, processes=(Process(pid=42, graphics=True), Process(pid=17)))
    code = "f = meter.facts(meter.discover()[0]); show([f.processes, f.graphics_processes])"
    assert with_gpus(tmp_path, [gpu], code) == [[17], [42]]


@pytest.mark.parametrize(
    ("bit", "counted"), [(0x20, True), (0x40, True), (0x80, True), (0x4, False), (0x1, False)]
)
def test_heat_and_brakes_are_counted_and_what_is_usual_is_not(
    tmp_path: Path, bit: int, counted: bool
) -> None:
    gpu = Gpu(curve=STEADY, throttle=bit)
    code = """
device = meter.discover()[0]
first = meter.facts(device).slowed_ns
time.sleep(0.02)
show(meter.facts(device).slowed_ns - first)
"""
    slowed_ns = with_gpus(tmp_path, [gpu], code)
    assert slowed_ns >= 20 * MS if counted else slowed_ns == 0


def test_a_gpu_that_is_cut_into_slices_later_is_lost_until_it_is_whole(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, uuid="GPU-a")
    code = """
device = meter.discover()[0]
def cut(on):
    with open(os.environ["LLEM_TEST_NVML_DOUBLE"], "a") as script:
        script.write(f"gpu GPU-a\\nmig {on}\\n")
    time.sleep(0.05)
    meter.facts(device)
cut(1)
lost = error(meter.read, device), error(NvmlMeter().read, device)
cut(0)
show([*lost, meter.read(device).power_w])
"""
    *lost, power_w = with_gpus(tmp_path, [gpu], "import os\n" + code)
    for error in lost:
        assert error.startswith("MeterError: GPU GPU-a is in MIG mode")
    assert power_w == 300.0


def test_a_gpu_without_a_counter_that_is_lost_by_its_field_is_lost(tmp_path: Path) -> None:
    gpu = Gpu(curve=STEADY, uuid="GPU-a", unsupported=("counter",))
    code = """
device = meter.discover()[0]
with open(os.environ["LLEM_TEST_NVML_DOUBLE"], "a") as script:
    script.write("gpu GPU-a\\nerror 15 instant\\n")
time.sleep(0.05)
show(error(meter.read, device))
"""
    told = with_gpus(tmp_path, [gpu], "import os\n" + code)
    assert told.startswith("MeterError: GPU GPU-a cannot be read any more: GPU is lost")


def test_facts_that_the_driver_lacks_are_none(tmp_path: Path) -> None:
    lacking = ("temperature", "sm_clock", "limit", "throttle", "memory", "violation", "processes")
    gpu = Gpu(curve=STEADY, unsupported=lacking)
    facts = with_gpus(tmp_path, [gpu], "show(meter.facts(meter.discover()[0]))")
    facts.pop("time_ns")
    assert set(facts.values()) == {None}


def test_without_a_driver_there_is_nothing_to_discover_and_nothing_wrong(tmp_path: Path) -> None:
    code = "show([meter.discover(), meter.absence, driver_facts()])"
    nowhere = {"LD_LIBRARY_PATH": str(tmp_path)}
    devices, absence, facts = run_json(PRELUDE + code, nowhere)
    if absence is None:
        pytest.skip("this machine has a driver")
    assert absence == "no NVIDIA driver on this machine"
    assert (devices, facts) == ([], None)


def test_a_library_without_a_loaded_driver_is_no_driver(tmp_path: Path) -> None:
    code = "show([meter.discover(), meter.absence, driver_facts()])"
    answer = with_gpus(tmp_path, [], code, init=9)
    assert answer == [[], "the NVIDIA driver is not loaded", None]


def test_a_driver_that_does_not_start_is_an_error_with_its_reason(tmp_path: Path) -> None:
    answer = with_gpus(tmp_path, [], "show([error(meter.discover), driver_facts()])", init=18)
    assert answer[0].startswith("MeterError: NVML does not start: ")
    assert "mismatch" in answer[0]
    assert answer[1] is None


def test_meters_share_the_driver_until_the_last_is_closed(tmp_path: Path) -> None:
    code = """
import pynvml
other = NvmlMeter()
device = meter.discover()[0]
other.discover()
meter.close()
meter.close()
still = other.read(device).power_w
other.close()
try:
    pynvml.nvmlDeviceGetCount()
except pynvml.NVMLError as error:
    show([still, str(error)])
"""
    assert with_gpus(tmp_path, [Gpu(curve=STEADY)], code) == [300.0, "Uninitialized"]


def test_driver_facts_describe_every_gpu_in_pci_order(tmp_path: Path) -> None:
    gpus = [
        Gpu(curve=STEADY, uuid="GPU-b", pci="00000000:B0:00.0", unsupported=("ecc", "mig")),
        Gpu(
            curve=STEADY,
            uuid="GPU-a",
            pci="00000000:0A:00.0",
            name="NVIDIA A10",
            persistence=0,
            ecc=0,
        ),
    ]
    facts = with_gpus(tmp_path, gpus, "show(driver_facts())", driver="570.1", cuda=12080)
    assert (facts["driver_version"], facts["cuda_driver_version"]) == ("570.1", "12.8")
    assert facts["gpus"][0] == {
        "uuid": "GPU-a",
        "name": "NVIDIA A10",
        "index": 1,
        "power_limit_w": 700.0,
        "memory_bytes": 85_520_809_984,
        "max_sm_clock_mhz": 1980,
        "persistence": False,
        "ecc": False,
        "mig": False,
        "pci_bus_id": "00000000:0A:00.0",
        "sm_clock_mhz": 1755,
        "memory_clock_mhz": 2619,
        "max_memory_clock_mhz": 2619,
        "application_sm_clock_mhz": 1980,
        "application_memory_clock_mhz": None,
        "default_application_sm_clock_mhz": 1980,
        "default_power_limit_w": 700.0,
        "min_power_limit_w": 200.0,
        "max_power_limit_w": 700.0,
        "ecc_pending": True,
        "mig_pending": False,
        "pcie_generation": 5,
        "max_pcie_generation": 5,
        "pcie_width": 16,
        "max_pcie_width": 16,
        "nvlinks": 9,
        "vbios_version": None,
    }
    assert (facts["gpus"][1]["ecc"], facts["gpus"][1]["mig"]) == (None, None)


def test_settings_that_a_driver_or_a_card_lacks_are_none(tmp_path: Path) -> None:
    lacking = ("limit", "sm_clock", "memory_clock", "application_clocks", "pcie", "nvlink")
    gpu = Gpu(curve=STEADY, unsupported=(*lacking, "ecc", "mig"))
    code = """
from pytest_llem.devices.nvml.gpu import NvmlGpu
from pytest_llem.devices.nvml.session import NvmlSession
(device,) = meter.discover()
show(NvmlGpu(NvmlSession(), device.uuid).settings())
"""
    settings = with_gpus(tmp_path, [gpu], code)
    assert settings.pop("default_power_limit_w") is None
    assert set(settings.values()) == {None}


def test_settings_that_the_python_binding_lacks_are_none(tmp_path: Path) -> None:
    code = """
import pynvml
for name in [name for name in vars(pynvml) if "Pcie" in name or "NvLinkState" in name]:
    delattr(pynvml, name)
(gpu,) = driver_facts()["gpus"]
show([gpu["pcie_width"], gpu["nvlinks"], gpu["max_power_limit_w"]])
"""
    assert with_gpus(tmp_path, [Gpu(curve=STEADY)], code) == [None, None, 700.0]


def test_importing_the_meter_loads_no_vendor_code() -> None:
    code = """
import json, sys
import pytest_llem.devices.nvml.meter, pytest_llem.devices.selection
print(json.dumps([name for name in ("pynvml", "torch", "numpy") if name in sys.modules]))
"""
    assert run_json(code, {}) == []
