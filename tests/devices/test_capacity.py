"""How much memory an experiment's devices have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.gpu import Gpu
from instruments.nvml_double import compiler, nvml_double, run_json
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.capacity import HOST, Capacity, Machine
from pytest_llem.devices.meter import Capability, Device

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
READ = Capability("gpu", "counter", 0.001, None)
CARDS = tuple(Device(f"GPU-{number}", "NVIDIA L4", READ, number) for number in range(2))
TWO = Machine(CARDS, {"GPU-0": 24 * GIB, "GPU-1": 22 * GIB}, 64 * GIB)


def capacity(machine: Machine, environ: dict[str, str] | None = None, **values: Any) -> Any:
    return machine.capacity(ExperimentConfig.model_validate(values), environ or {})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Capacity("NVIDIA L4", 24 * GIB, 1, is_gpu=True)),
        ({"device": "cuda:1"}, Capacity("NVIDIA L4", 22 * GIB, 1, is_gpu=True)),
        ({"tensor_parallel_size": 2}, Capacity("NVIDIA L4", 22 * GIB, 2, is_gpu=True)),
        ({"device": "cpu"}, Capacity(HOST, 64 * GIB, 1, is_gpu=False)),
    ],
)
def test_it_is_that_of_the_devices_that_are_taken(values: dict[str, Any], expected: object) -> None:
    assert capacity(TWO, **values) == expected


def test_only_visible_gpus_count() -> None:
    shown = {"CUDA_VISIBLE_DEVICES": "GPU-1"}
    assert capacity(TWO, shown).total_bytes == 22 * GIB
    assert "1 is visible" in capacity(TWO, shown, tensor_parallel_size=2)


def test_without_gpus_it_is_the_host_unless_one_is_asked_for() -> None:
    bare = Machine(host_bytes=8 * GIB)
    assert capacity(bare) == Capacity(HOST, 8 * GIB, 1, is_gpu=False)
    assert "no NVIDIA GPU" in capacity(bare, device="cuda")
    assert "not known" in capacity(Machine())
    assert "not read here" in capacity(Machine(host_bytes=GIB, other_gpus=True))


def test_a_size_that_the_driver_does_not_give_is_unknown() -> None:
    assert "does not say" in capacity(Machine(CARDS, {"GPU-0": None}, GIB))


@pytest.mark.skipif(compiler() is None, reason="the double of the driver is compiled")
def test_the_driver_says_how_much_there_is_and_cuda_is_not_asked(tmp_path: Path) -> None:
    code = """
import json, sys
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.runs.fitting import Rooms

room = Rooms().of(ExperimentConfig())
print(json.dumps([room.name, room.total_bytes, room.is_gpu, "torch" in sys.modules]))
"""
    gpu = Gpu(curve=Constant(100.0), name="NVIDIA L4", memory_total=24 * GIB)
    found = run_json(code, nvml_double(tmp_path, [gpu]))
    assert found == ["NVIDIA L4", 24 * GIB, True, False]
