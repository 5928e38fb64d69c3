"""ZeusMeter on machines that are not here, through a package that answers like Zeus."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instruments.zeus_double import (
    AmdGpu,
    AppleSilicon,
    Cpu,
    CPUNoPermissionError,
    Jetson,
    Machine,
    OtherGpu,
)
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices import selection
from pytest_llem.devices.assignment import devices_for
from pytest_llem.devices.selection import MeterRequest, choose_meter
from pytest_llem.devices.zeus import chip, meter
from pytest_llem.devices.zeus.layers import zeus_layers
from pytest_llem.devices.zeus.meter import ZeusMeter
from pytest_llem.errors import ConfigError, MeterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """What Zeus sees; to be filled before the meter looks."""
    found = Machine()
    found.install(monkeypatch)
    zeus_layers.cache_clear()
    yield found
    zeus_layers.cache_clear()


def packages(machine: Machine, root: Path, *names: str) -> None:
    """CPUs of the machine, with the names that the kernel gives their zones."""
    machine.rapl_dir = root
    for number, name in enumerate(names):
        zone = root / f"intel-rapl:{number}"
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        machine.cpus.append(Cpu(number, cpu_mj=1500.0 * (number + 1), dram_mj=400.0))


def test_an_amd_gpu_is_read_in_joules_and_watts_under_its_own_uuid(machine: Machine) -> None:
    machine.gpus.append(AmdGpu())
    meter = ZeusMeter()
    (device,) = meter.discover()
    reading, facts = meter.read(device), meter.facts(device)
    assert device.uuid == "AMD-fcff74a1-0000-1000-80e6-000000000000"
    assert (device.name, device.index) == ("AMD Instinct MI300X", 0)
    assert (device.capability.scope, device.capability.method) == ("gpu", "counter")
    assert (reading.energy_j, reading.power_w) == (5000.0, 250.0)
    assert reading.before_ns <= reading.after_ns
    assert (facts.temperature_c, facts.power_limit_w) == (51.0, 750.0)


def test_without_a_counter_power_is_integrated_and_average_power_will_do(machine: Machine) -> None:
    machine.gpus.append(AmdGpu(energy_mj=None, instant_mw=None, temperature_c=None))
    meter = ZeusMeter()
    (device,) = meter.discover()
    assert (device.capability.method, device.capability.resolution_j) == ("integrated", None)
    reading = meter.read(device)
    assert (reading.energy_j, reading.power_w) == (None, 240.0)
    assert meter.facts(device).temperature_c is None


def test_zeros_are_no_readings(machine: Machine) -> None:
    gpu = AmdGpu()
    machine.gpus.append(gpu)
    meter = ZeusMeter()
    (device,) = meter.discover()
    gpu.energy_mj = gpu.instant_mw = 0
    reading = meter.read(device)
    assert (reading.energy_j, reading.power_w) == (None, None)


def test_a_card_of_two_dies_is_read_for_both_and_its_second_die_refused(machine: Machine) -> None:
    name = "AMD Instinct MI250X"
    machine.gpus += [
        AmdGpu(0, name, "a"),
        AmdGpu(1, name, "b", energy_mj=None, instant_mw=None, average_mw=None),
    ]
    first, second = ZeusMeter().discover()
    assert (first.name, first.capability.scope) == (f"{name} (both dies)", "module")
    assert first.refusal is None
    assert "neither an energy counter nor a power reading" in (second.refusal or "")


def test_a_gpu_without_a_uuid_says_so(machine: Machine) -> None:
    machine.gpus.append(OtherGpu(name="Someone's Card"))
    (device,) = ZeusMeter().discover()
    assert device.uuid == "Someone's Card-0"
    assert device.name == "Someone's Card (it gives no UUID)"


def test_a_grace_hopper_is_its_whole_module(machine: Machine) -> None:
    gpu = AmdGpu()
    gpu._is_grace_hopper = True  # type: ignore[attr-defined]
    machine.gpus.append(gpu)
    assert ZeusMeter().discover()[0].capability.scope == "module"


def test_a_lost_gpu_is_an_error_and_its_facts_are_unknown(machine: Machine) -> None:
    machine.gpus.append(AmdGpu())
    meter = ZeusMeter()
    (device,) = meter.discover()
    machine.gpus[0].lost = "AMDSMI_STATUS_NOT_FOUND - Device not found."
    with pytest.raises(MeterError, match=r"AMD-fcff.* through Zeus: AMDSMI_STATUS_NOT_FOUND"):
        meter.read(device)
    assert meter.facts(device).temperature_c is None


def test_another_meter_reads_what_one_has_discovered(machine: Machine) -> None:
    machine.gpus.append(AmdGpu())
    (device,) = ZeusMeter().discover()
    meter = ZeusMeter()
    assert meter.read(device).power_w == 250.0
    meter.close()
    assert meter.read(device).power_w == 250.0
    machine.gpus[0].uuid = "another"
    with pytest.raises(MeterError, match="does not list AMD-fcff"):
        ZeusMeter().read(device)


@pytest.mark.parametrize(
    ("environ", "uuids"),
    [
        ({}, ["AMD-a"]),
        ({"HIP_VISIBLE_DEVICES": "1,0"}, ["AMD-b"]),
        ({"CUDA_VISIBLE_DEVICES": "2"}, ["AMD-c"]),
        ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "2"}, ["AMD-b"]),
        ({"HIP_VISIBLE_DEVICES": ""}, []),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
    ],
)
def test_amd_gpus_are_assigned_as_hip_shows_them(
    machine: Machine, environ: dict[str, str], uuids: list[str]
) -> None:
    machine.gpus += [AmdGpu(n, uuid=uuid) for n, uuid in enumerate("abc")]
    found = devices_for(ExperimentConfig(), ZeusMeter().discover(), environ)
    assert [device.uuid for device in found] == uuids


@pytest.mark.parametrize(
    "environ",
    [
        {"HIP_VISIBLE_DEVICES": "0,3"},
        {"HIP_VISIBLE_DEVICES": "0,0"},
        {"CUDA_VISIBLE_DEVICES": "GPU-1"},
        {"ROCR_VISIBLE_DEVICES": "1"},
        {"GPU_DEVICE_ORDINAL": "1"},
    ],
)
def test_what_hip_would_show_is_never_guessed(machine: Machine, environ: dict[str, str]) -> None:
    machine.gpus += [AmdGpu(n, uuid=uuid) for n, uuid in enumerate("abc")]
    devices = ZeusMeter().discover()
    with pytest.raises(ConfigError, match=next(iter(environ))):
        devices_for(ExperimentConfig(), devices, environ)


def test_packages_and_their_memory_stand_beside_gpus_and_alone_on_the_cpu(
    machine: Machine, tmp_path: Path
) -> None:
    machine.gpus.append(AmdGpu(uuid="a"))
    packages(machine, tmp_path, "package-0", "package-1", "psys")
    machine.cpus[1].dram_mj = None
    meter = ZeusMeter()
    devices = meter.discover()

    def used(device: str) -> list[str]:
        return [found.uuid for found in devices_for(ExperimentConfig(device=device), devices, {})]

    beside = ["zeus:package-0", "zeus:package-1", "zeus:package-0:dram"]
    assert used("auto") == ["AMD-a", *beside]
    assert used("cpu") == beside
    assert [device.capability.scope for device in devices[1:]] == ["package", "package", "dram"]
    assert [meter.read(device).energy_j for device in devices[1:]] == [1.5, 3.0, 0.4]


def test_packages_of_one_name_are_all_read(machine: Machine, tmp_path: Path) -> None:
    packages(machine, tmp_path, "package-0", "package-0")
    meter = ZeusMeter()
    devices = meter.discover()
    second = "zeus:package-0@intel-rapl:1"
    assert [device.uuid for device in devices] == [
        "zeus:package-0",
        second,
        "zeus:package-0:dram",
        f"{second}:dram",
    ]
    assert [meter.read(device).energy_j for device in devices[:2]] == [1.5, 3.0]


def test_a_jetson_covers_every_experiment_by_its_rail_for_everything(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").write_bytes(b"NVIDIA Jetson AGX Orin\0")
    (tmp_path / "serial-number").write_bytes(b"1420921055981\0")
    monkeypatch.setattr(chip, "DEVICE_TREE", tmp_path)
    parts = {"cpu_energy_mj": 2e3, "gpu_energy_mj": 5e3, "total_energy_mj": 9e3}
    machine.soc = Jetson(dict(parts))
    meter = ZeusMeter()
    (device,) = meter.discover()
    assert (device.uuid, device.name) == ("jetson:1420921055981", "NVIDIA Jetson AGX Orin")
    assert (device.capability.scope, device.capability.method) == ("module", "integrated")
    assert meter.read(device).energy_j == 9.0
    for where in ("auto", "cpu", "cuda"):
        config = ExperimentConfig(device=where)
        assert devices_for(config, [device], {"CUDA_VISIBLE_DEVICES": "7"}) == [device]


def test_rails_that_are_not_everything_are_named(machine: Machine, tmp_path: Path) -> None:
    machine.soc = Jetson({"cpu_energy_mj": 2e3, "gpu_energy_mj": 5e3, "total_energy_mj": None})
    meter = ZeusMeter()
    (device,) = meter.discover()
    assert device.name == "NVIDIA Jetson (CPU and GPU rails) (it gives no serial number)"
    assert meter.read(device).energy_j == 7.0
    machine.soc.energies_mj["gpu_energy_mj"] = None
    assert meter.read(device).energy_j is None


def test_apples_parts_are_added_once_each(machine: Machine) -> None:
    known = {"cpu_total_mj": 1000, "dram_mj": 200, "gpu_mj": 3000, "gpu_sram_mj": 50}
    machine.soc = AppleSilicon({**known, "ane_mj": None, "performance_cores_mj": 900})
    meter = ZeusMeter()
    (device,) = meter.discover()
    assert (device.covers_all, device.capability.scope) == (True, "module")
    assert meter.read(device).energy_j == pytest.approx(4.25)


def test_a_chip_whose_rails_cannot_be_read_says_where_they_are(machine: Machine) -> None:
    machine.soc = Jetson({"cpu_energy_mj": None})
    with pytest.raises(MeterError, match="none of its power rails"):
        ZeusMeter().discover()


def test_what_may_not_be_read_is_refused_beside_what_can_be(machine: Machine) -> None:
    machine.gpus.append(AmdGpu())
    machine.errors["cpus"] = CPUNoPermissionError("Can't read file due to permission error.")
    gpu, other = ZeusMeter().discover()
    assert gpu.refusal is None
    assert "chmod a+r" in (other.refusal or "")
    assert devices_for(ExperimentConfig(device="cpu"), [gpu, other], {}) == []
    with pytest.raises(MeterError, match="zeusd"):
        ZeusMeter().read(other)


def test_nothing_at_all_is_an_absence(machine: Machine) -> None:
    meter = ZeusMeter()
    assert meter.discover() == []
    assert "NVML and AMDSMI unavailable" in (meter.absence or "")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus", None)
    monkeypatch.setitem(sys.modules, "zeus.device", None)
    zeus_layers.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'pytest-llem\[zeus\]'"):
        choose_meter(MeterRequest("zeus"))


def test_auto_takes_zeus_for_accelerators_that_only_it_can_read(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BEST_FIRST", ("zeus",))
    monkeypatch.setattr(meter, "find_spec", lambda _: object())
    machine.gpus.append(AmdGpu())
    assert choose_meter(MeterRequest()).name == "estimate"
    monkeypatch.setattr(meter, "AMD_DRIVER", tmp_path)
    choice = choose_meter(MeterRequest())
    assert (choice.name, choice.why) == ("zeus", "zeus reads 1 × AMD Instinct MI300X")


def test_auto_leaves_packages_to_rapl(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BEST_FIRST", ("zeus",))
    monkeypatch.setattr(meter, "find_spec", lambda _: object())
    monkeypatch.setattr(meter, "AMD_DRIVER", tmp_path)
    packages(machine, tmp_path, "package-0")
    choice = choose_meter(MeterRequest())
    assert choice.name == "estimate"
    assert choice.why.startswith("zeus finds CPU packages only; CPU time")


def test_auto_names_what_is_missing_for_an_accelerator_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(selection, "BEST_FIRST", ("zeus",))
    monkeypatch.setattr(meter, "find_spec", lambda _: None)
    assert choose_meter(MeterRequest()).why.startswith("no device that can be measured; CPU")
    monkeypatch.setattr(meter, "AMD_DRIVER", tmp_path)
    why = choose_meter(MeterRequest()).why
    assert why.startswith("an AMD GPU is there, but zeus is not installed")
    assert "pip install 'pytest-llem[zeus]'" in why


def test_auto_loads_neither_zeus_nor_codecarbon_nor_what_they_need() -> None:
    code = """
import sys
from pytest_llem.devices.selection import MeterRequest, choose_meter
choose_meter(MeterRequest())
heavy = {"zeus", "codecarbon", "amdsmi", "pandas", "numpy", "pyarrow", "torch", "httpx"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
