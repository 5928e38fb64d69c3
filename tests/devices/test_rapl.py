"""CPU packages as the kernel shows them, in folders like its own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.devices.rapl import RaplMeter
from pytest_llem.devices.selection import MeterRequest, choose_cpu_meter, choose_meter
from pytest_llem.errors import MeterError

RANGE_UJ = 262_143_328_850


def zone(root: Path, folder: str, name: str, energy_uj: object = 1_000_000) -> Path:
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    zone(tmp_path, "intel-rapl:0", "package-0")
    zone(tmp_path, "intel-rapl:0:0", "core")
    zone(tmp_path, "intel-rapl:0:1", "dram")
    zone(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    zone(tmp_path, "intel-rapl:2", "psys", 9)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def test_packages_are_read_and_what_lies_inside_them_is_not_added(root: Path) -> None:
    meter = RaplMeter(root)
    devices = meter.discover()
    assert [device.uuid for device in devices] == ["rapl:package-0", "rapl:package-1"]
    assert {device.capability.scope for device in devices} == {"package"}
    assert [meter.read(device).energy_j for device in devices] == [1.0, 5.0]
    assert meter.read(devices[0]).power_w is None


def test_zones_of_one_name_are_all_read(root: Path) -> None:
    zone(root, "intel-rapl:3", "package-0", 7_000_000)
    for folder in ("intel-rapl:0/intel-rapl:0:1", "intel-rapl:3/intel-rapl:3:0"):
        zone(root, folder, "dram", 2_000_000)
    zone(root, "intel-rapl:3/intel-rapl:3:1", "dram", 3_000_000)
    zone(root, "amd-rapl:0", "package-1", 5_000_000)  # the same, shown twice
    meter = RaplMeter(root)
    read = {device.uuid: meter.read(device).energy_j for device in meter.discover()}
    assert read == {
        "rapl:package-1": 5.0,
        "rapl:package-0": 1.0,
        "rapl:package-0@intel-rapl:3": 7.0,
        "rapl:package-0:dram": 2.0,
        "rapl:package-0@intel-rapl:3:dram": 2.0,
        "rapl:package-0@intel-rapl:3:dram@intel-rapl:3:1": 3.0,
    }
    scopes = {device.uuid: device.capability.scope for device in meter.discover()}
    assert [uuid for uuid, scope in scopes.items() if scope == "dram"] == [
        uuid for uuid in read if ":dram" in uuid
    ]


@pytest.mark.parametrize("asked", ["rapl", "replay:{root}/nothing.trace.parquet"])
def test_an_error_that_says_what_to_do_is_given_no_other_advice(
    root: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("LLEM_POWERCAP", str(root))
    zone(root, "intel-rapl:0", "package-0", "many")
    with pytest.raises(MeterError) as caught:
        choose_meter(MeterRequest(asked.format(root=root)))
    said = str(caught.value)
    assert said.endswith(".")
    assert ".." not in said
    assert "Run where its devices are" not in said


def test_a_counter_that_begins_anew_is_carried_on(root: Path) -> None:
    meter = RaplMeter(root)
    device = meter.discover()[0]
    energies = []
    for shown_uj in (RANGE_UJ - 2_000_000, RANGE_UJ - 1_000_000, 500_000, 700_000):
        zone(root, "intel-rapl:0", "package-0", shown_uj)
        energies.append(meter.read(device).energy_j or 0.0)
    steps = [b - a for a, b in pairwise(energies)]
    assert steps == pytest.approx([1.0, 1.5, 0.2])
    assert meter.facts(device).wraps == 1


@given(shown=st.lists(st.integers(0, RANGE_UJ - 1), min_size=2, max_size=20))
def test_energy_never_decreases(shown: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("powercap")
    zone(root, "intel-rapl:0", "package-0")
    meter = RaplMeter(root)
    device = meter.discover()[0]
    energies = []
    for shown_uj in shown:
        zone(root, "intel-rapl:0", "package-0", shown_uj)
        energies.append(meter.read(device).energy_j or 0.0)
    assert energies == sorted(energies)


def test_no_packages_is_nothing_to_read_and_says_where(tmp_path: Path) -> None:
    meter = RaplMeter(tmp_path)
    assert meter.discover() == []
    assert str(tmp_path) in (meter.absence or "")


def test_counters_only_root_may_read_say_how_to_open_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_text

    def refused(self: Path, *arguments: str, **options: str) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(self, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(MeterError, match=r"only be read by root.*chmod a\+r"):
        RaplMeter(root).discover()
    monkeypatch.setenv("LLEM_POWERCAP", str(root))
    choice = choose_cpu_meter(MeterRequest())
    assert not choice.measured
    assert "chmod a+r" in choice.why


@pytest.mark.parametrize("content", ["", "many", "12.5"])
def test_nonsense_is_no_number_of_microjoules(root: Path, content: str) -> None:
    zone(root, "intel-rapl:0", "package-0", content)
    with pytest.raises(MeterError, match="no number of microjoules"):
        RaplMeter(root).discover()


def test_a_package_that_vanishes_is_an_error_that_names_it(root: Path) -> None:
    meter = RaplMeter(root)
    device = meter.discover()[0]
    (root / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(MeterError, match="energy_uj cannot be read"):
        meter.read(device)


def test_measured_packages_come_before_an_estimate(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_POWERCAP", str(root))
    choice = choose_meter(MeterRequest("rapl"))
    assert choice.measured
    assert choice.why.startswith("rapl reads 2 × ")
    assert choose_cpu_meter(MeterRequest()).name == "rapl"
