"""The hardware support matrix, and the document that is written from it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pytest_llem.devices import METERS
from pytest_llem.devices.support.document import document, main
from pytest_llem.devices.support.matrix import STATUSES, Entry, Kind, Present, entries, places

ROOT = Path(__file__).parents[2]
LINUX = "linux-x86_64"


def test_the_document_is_the_one_that_is_generated(tmp_path: Path) -> None:
    remedy = "write it: python -m pytest_llem.devices.support.document docs/hardware.md"
    assert (ROOT / "docs" / "hardware.md").read_text() == document(), remedy
    assert main([str(tmp_path / "new.md")]) == 0
    assert (tmp_path / "new.md").read_text() == document()


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.device)
def test_every_entry_says_what_it_rests_on(entry: Entry) -> None:
    assert entry.status in STATUSES
    assert dt.date(2026, 1, 1) <= entry.date
    assert entry.evidence
    for path in entry.evidence:
        assert (ROOT / path).exists(), path
    assert entry.meter == "none" or entry.meter in METERS.names()
    assert entry.note.endswith(".")


def test_a_gpu_is_confirmed_only_with_its_recordings() -> None:
    confirmed = [entry for entry in entries() if entry.status == "confirmed"]
    for entry in confirmed:
        recorded = any(path.startswith("tests/data/") for path in entry.evidence)
        assert entry.kind == "cpu" or recorded


@pytest.mark.parametrize(
    ("kind", "name", "system", "first"),
    [
        ("gpu", "NVIDIA H100 80GB HBM3", LINUX, "NVIDIA H100, H200, GH200 (Hopper)"),
        ("gpu", "NVIDIA A100-SXM4-40GB", LINUX, "NVIDIA A100, A30 (GA100)"),
        ("gpu", "NVIDIA A100-40C", LINUX, "NVIDIA vGPU in a virtual machine"),
        ("gpu", "GRID T4-8Q", LINUX, "NVIDIA vGPU in a virtual machine"),
        ("gpu", "Tesla T4", LINUX, "NVIDIA V100, T4, RTX 20 (Volta, Turing)"),
        ("gpu", "Tesla V100-SXM2-16GB", LINUX, "NVIDIA V100, T4, RTX 20 (Volta, Turing)"),
        ("gpu", "Tesla P100-PCIE-16GB", LINUX, "NVIDIA GPUs before Volta"),
        ("gpu", "NVIDIA GeForce GTX 1080", LINUX, "NVIDIA GPUs before Volta"),
        (
            "gpu",
            "NVIDIA GeForce RTX 4090",
            LINUX,
            "NVIDIA L4, L40S, A10, A40, RTX of Ampere, Ada and Blackwell",
        ),
        ("gpu", "NVIDIA Something New", LINUX, "Other NVIDIA GPUs"),
        ("cpu", "AMD EPYC 9654", LINUX, "Intel and AMD processors through RAPL"),
        ("cpu", "Neoverse-V2", "linux-aarch64", "Processor of another architecture"),
        ("cpu", "Apple M4", "darwin-arm64", "Processor under macOS"),
        ("cpu", "Intel", "windows-amd64", "Windows"),
        ("soc", "Apple M4", "darwin-arm64", "Apple Silicon"),
    ],
)
def test_a_device_has_its_place(kind: Kind, name: str, system: str, first: str) -> None:
    assert places(Present(kind, name, system))[0].device.startswith(first)


def test_a_gpu_that_is_cut_into_instances_will_not_work_whatever_its_model() -> None:
    (place,) = places(Present("gpu", "NVIDIA H100 80GB HBM3", LINUX, mig=True))
    assert place.status == "will not work"
    assert all(not entry.when for entry in places(Present("gpu", "NVIDIA H100 PCIe", LINUX)))


def test_a_processor_has_a_place_for_each_meter() -> None:
    found = places(Present("cpu", "Intel(R) Xeon(R) Platinum 8480+", LINUX))
    told = [(entry.meter, entry.status) for entry in found]
    assert told == [("rapl", "may work"), ("estimate", "confirmed"), ("codecarbon", "may work")]


def test_what_nobody_has_heard_of_has_no_place() -> None:
    assert places(Present("gpu", "Example Accelerator", LINUX)) == []
