"""ZeusMeter through the real Zeus: on a driver with exactly known power, and on folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant, Square
from instruments.nvml_double import Gpu, compiler, nvml_double
from instruments.peers import run_beside_peers, shown_beside_peers
from instruments.refresh import Refresh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")
MS = 1_000_000
STEADY = Constant(300.0)
ZEUS = """
from pytest_llem.devices.zeus.meter import ZeusMeter
meter = ZeusMeter()
"""
READ_A_WHILE = """
device = meter.discover()[0]
end = time.monotonic_ns() + 400_000_000
readings = []
while time.monotonic_ns() < end:
    readings.append(meter.read(device))
    time.sleep(0.002)
show(readings)
"""
CHIP = """
import zeus.device.soc as soc
from zeus.device.soc import jetson
from pathlib import Path

soc.jetson_is_available = jetson.jetson_is_available = lambda: True
jetson.Jetson._discover_available_metrics = lambda self: {
    "total_power_mw": jetson.DirectPower(Path(os.environ["RAIL"]))
}
"""


def with_zeus(tmp_path: Path, gpus: Sequence[Gpu], code: str, **environ: str) -> Any:
    return shown_beside_peers(ZEUS + code, {**nvml_double(tmp_path, gpus), **environ})


@needs_compiler
def test_joules_and_watts_are_those_of_the_load(tmp_path: Path) -> None:
    gpu = Gpu(
        curve=Square(low_w=95.0, high_w=640.0, period_ns=137 * MS, duty=0.37),
        counter=Refresh(period_ns=31 * MS, phase_ns=7 * MS, jitter_ns=11 * MS, seed=5),
        instant=Refresh(period_ns=10 * MS),
    )
    readings = with_zeus(tmp_path, [gpu], READ_A_WHILE)
    assert len({reading["energy_j"] for reading in readings}) > 5
    for reading in readings:
        before, after = reading["before_ns"], reading["after_ns"]
        low, high = gpu.counter_mj(before) / 1000, gpu.counter_mj(after) / 1000
        assert before < after
        assert low - 1e-6 <= reading["energy_j"] <= high + 1e-6
        powers = [gpu.instant_w(before), gpu.instant_w(after)]
        if powers[0] == powers[1]:  # no refresh in between
            assert reading["power_w"] == pytest.approx(powers[0], abs=0.0006)


@needs_compiler
@pytest.mark.parametrize("masked", [{}, {"CUDA_VISIBLE_DEVICES": "1"}])
def test_all_gpus_are_listed_by_uuid_in_bus_order_whatever_is_visible(
    tmp_path: Path, masked: dict[str, str]
) -> None:
    gpus = [
        Gpu(curve=Constant(100.0 * n), uuid=f"GPU-{n}", pci=f"00000000:{9 - n:02X}:00.0")
        for n in (1, 2, 3)
    ]
    code = """
devices = meter.discover()
show([[[d.uuid, d.index, meter.read(d).power_w] for d in devices],
      os.environ.get("CUDA_VISIBLE_DEVICES")])
"""
    seen, visible = with_zeus(tmp_path, gpus, code, **masked)
    assert seen == [["GPU-3", 2, 300.0], ["GPU-2", 1, 200.0], ["GPU-1", 0, 100.0]]
    assert visible == masked.get("CUDA_VISIBLE_DEVICES")


@needs_compiler
def test_gpus_that_zeus_was_asked_for_before_under_a_mask_are_refused(tmp_path: Path) -> None:
    code = """
import zeus.device
zeus.device.get_gpus()
show(error(meter.discover))
"""
    gpus = [Gpu(curve=STEADY, uuid=f"GPU-{n}") for n in (0, 1)]
    answer = with_zeus(tmp_path, gpus, code, CUDA_VISIBLE_DEVICES="1")
    assert answer.startswith("MeterError: Zeus shows only the GPUs [1]")


@needs_compiler
def test_a_gpu_has_its_counter_its_slow_facts_and_the_name_of_the_meter(tmp_path: Path) -> None:
    code = """
choice = choose_meter(MeterRequest("zeus", require_measured=True))
opened = choice.open(None)
show([choice.why, choice.devices[0], opened.facts(choice.devices[0]), opened.name])
"""
    gpu = Gpu(curve=STEADY, name="NVIDIA L4", throttle=0x40, temperature_c=77)
    why, device, facts, name = with_zeus(tmp_path, [gpu], code)
    assert (why, name) == ("zeus reads 1 × NVIDIA L4", "zeus")
    assert device["capability"] == {
        "scope": "gpu",
        "method": "counter",
        "resolution_j": 0.001,
        "update_period_s": None,
    }
    assert (facts["temperature_c"], facts["throttle_reasons"]) == (77.0, ["hw_thermal_slowdown"])


@needs_compiler
@pytest.mark.parametrize(
    ("unsupported", "expected"),
    [
        (("counter",), ["integrated", None, 300.0]),
        (("instant",), ["counter", "some", None]),
        (("counter", "field_values"), [None, None, None]),
    ],
)
def test_what_a_gpu_lacks_is_unknown(
    tmp_path: Path, unsupported: tuple[str, ...], expected: list[object]
) -> None:
    code = """
device = meter.discover()[0]
reading = None if device.refusal else meter.read(device)
show([device.capability.method if reading else None,
      reading and reading.energy_j and "some", reading and reading.power_w])
"""
    assert with_zeus(tmp_path, [Gpu(curve=STEADY, unsupported=unsupported)], code) == expected


@needs_compiler
def test_slices_are_refused_and_zeros_are_no_reading(tmp_path: Path) -> None:
    gpus = [
        Gpu(curve=STEADY, uuid="GPU-m", mig=1),
        Gpu(curve=STEADY, uuid="GPU-z", zero_every=2, pci="00000000:2B:00.0"),
    ]
    code = """
sliced, other = meter.discover()
readings = [meter.read(other) for _ in range(8)]
show([error(meter.read, sliced), sum(r.energy_j is None for r in readings),
      [r.energy_j for r in readings].count(0)])
"""
    refusal, missing, zeros = with_zeus(tmp_path, gpus, code)
    assert refusal.startswith("MeterError: GPU GPU-m is in MIG mode")
    assert (missing, zeros) == (4, 0)


@needs_compiler
def test_a_gpu_that_is_lost_is_an_error_that_names_it(tmp_path: Path) -> None:
    code = """
device = meter.discover()[0]
open(os.environ["LLEM_TEST_NVML_DOUBLE"], "a").write("gpu GPU-l\\n error 15\\n")
time.sleep(0.05)
show([error(meter.read, device), meter.facts(device).temperature_c])
"""
    said, temperature_c = with_zeus(tmp_path, [Gpu(curve=STEADY, uuid="GPU-l")], code)
    assert said.startswith("MeterError: GPU-l cannot be read any more through Zeus: GPU is lost")
    assert temperature_c is None


@needs_compiler
def test_nothing_is_logged_printed_or_warned_of(tmp_path: Path) -> None:
    code = """
import logging
logging.basicConfig(level=logging.DEBUG)
device = meter.discover()[0]
for _ in range(3):
    meter.read(device), meter.facts(device)
meter.close()
logging.getLogger("zeus.device").warning("ours again")
"""
    done = run_beside_peers(ZEUS + code, nvml_double(tmp_path, [Gpu(curve=STEADY)]), "-W", "error")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == ["WARNING:zeus.device:ours again"]


def test_no_device_says_so_in_zeus_own_words() -> None:
    code = 'show(error(choose_meter, MeterRequest("zeus")))'
    said = shown_beside_peers(code, {"LD_LIBRARY_PATH": ""})
    assert "the meter 'zeus' has nothing to read: NVML and AMDSMI unavailable" in said
    assert "No observable SoC" in said


def zone(root: Path, folder: str, name: str, energy_uj: int) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    for file, value in (("name", name), ("energy_uj", energy_uj), ("max_energy_range_uj", 10**12)):
        (path / file).write_text(f"{value}\n")
    return path


FOLDERS = "import zeus.device.cpu.rapl as rapl; rapl.RAPL_DIR = os.environ['FOLDER']\n" + ZEUS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    zone(tmp_path, "intel-rapl:0", "package-0", 7_500_000)
    zone(tmp_path, "intel-rapl:0/intel-rapl:0:0", "dram", 900_000)
    zone(tmp_path, "intel-rapl:1", "psys", 99_000_000)
    return tmp_path


def test_cpu_packages_and_memory_are_read_and_the_platform_is_no_package(folder: Path) -> None:
    code = "show([[d.uuid, d.capability.scope, meter.read(d).energy_j] for d in meter.discover()])"
    found = shown_beside_peers(FOLDERS + code, {"FOLDER": str(folder), "LD_LIBRARY_PATH": ""})
    assert found == [
        ["zeus:package-0", "package", pytest.approx(7.5)],
        ["zeus:package-0:dram", "dram", pytest.approx(0.9)],
    ]


def test_packages_that_may_not_be_read_say_what_to_do(folder: Path) -> None:
    code = """
import builtins
real = builtins.open
def refusing(path, *a, **k):
    if str(path).endswith("energy_uj"):
        raise PermissionError(13, "Permission denied")
    return real(path, *a, **k)
builtins.open = refusing
show([error(meter.discover), error(choose_meter, MeterRequest("zeus"))])
"""
    environ = {"FOLDER": str(folder), "LD_LIBRARY_PATH": ""}
    for said in shown_beside_peers(FOLDERS + code, environ):
        assert said.startswith("MeterError: ")
        assert "Start its daemon, zeusd, and set ZEUSD_SOCK_PATH" in said
        assert "sudo chmod a+r /sys/class/powercap/*/energy_uj" in said


@needs_compiler
def test_a_daemon_that_is_not_there_is_said_and_gpus_are_read_without_it(
    tmp_path: Path, folder: Path
) -> None:
    driver = nvml_double(tmp_path, [Gpu(curve=STEADY)])
    socket = {"ZEUSD_SOCK_PATH": "/nowhere/zeusd.sock", "FOLDER": str(folder)}
    code = "show([[d, d.refusal or meter.read(d).power_w] for d in meter.discover()])"
    (gpu, watts), (_, refusal) = shown_beside_peers(FOLDERS + code, {**driver, **socket})
    assert (gpu["capability"]["scope"], watts) == ("gpu", 300.0)
    assert "through its daemon (ZEUSD_SOCK_PATH=/nowhere/zeusd.sock)" in refusal
    assert refusal.endswith("Start zeusd, or unset ZEUSD_SOCK_PATH.")


def test_the_rails_of_a_jetson_are_joules(tmp_path: Path) -> None:
    code = """
if __name__ == "__main__":
    device, = meter.discover()
    time.sleep(0.5)
    first = meter.read(device); time.sleep(1.0); second = meter.read(device)
    show([device, second.energy_j - first.energy_j, (second.before_ns - first.after_ns) / 1e9])
"""
    (tmp_path / "rail").write_text("12000\n")
    environ = {"RAIL": str(tmp_path / "rail"), "LD_LIBRARY_PATH": ""}
    device, used_j, elapsed_s = shown_beside_peers(CHIP + ZEUS + code, environ)
    assert device["covers_all"]
    assert device["capability"]["method"] == "integrated"
    assert used_j == pytest.approx(12.0 * elapsed_s, abs=12.0 * 0.5)
