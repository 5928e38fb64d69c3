"""Devices, data types and threads, on machines that this one is not."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.torch_device import (
    default_threads,
    device_name,
    device_uuid,
    require_dtype,
    resolve_device,
    usable_cores,
)
from pytest_llem.errors import EngineError

NO_HALF = "\"addmm_impl_cpu_\" not implemented for 'Half'"


class Matrix:
    """Two by two ones, in a data type that may have no multiplication."""

    def __init__(self, dtype: str, missing: str) -> None:
        self.works = dtype != missing

    def __matmul__(self, other: Matrix) -> Matrix:
        if not self.works:
            raise RuntimeError(NO_HALF)
        return self

    def sum(self) -> Matrix:
        return self

    def item(self) -> float:
        return 8.0


def machine(
    gpus: int = 0, *, cuda: str | None = "13.0", native_bf16: bool = True, lacks: str = ""
) -> Any:
    """A stand-in for torch on some machine."""
    return SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda=cuda),
        float32="float32",
        float16="float16",
        bfloat16="bfloat16",
        ones=lambda *shape, dtype, device: Matrix(dtype, lacks),
        cuda=SimpleNamespace(
            is_available=lambda: gpus > 0,
            device_count=lambda: gpus,
            device=lambda device: nullcontext(),
            is_bf16_supported=lambda including_emulation: native_bf16,
            get_device_name=lambda device: f"NVIDIA {device}",
            get_device_properties=lambda device: SimpleNamespace(uuid="8f6e-1"),
        ),
    )


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_is_found(device: str, gpus: int, expected: str) -> None:
    assert resolve_device(machine(gpus), device) == expected


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cuda:x", "CUDA", "cuda:-1", "cuda:0 "])
def test_an_unknown_device_names_the_known_ones(device: str) -> None:
    with pytest.raises(EngineError, match="Use auto, cpu, cuda or cuda:N"):
        resolve_device(machine(2), device)


def test_cuda_on_a_build_without_it_says_so() -> None:
    with pytest.raises(EngineError, match=r"build without CUDA.*device='cpu'"):
        resolve_device(machine(cuda=None), "cuda")


def test_cuda_without_a_device_points_to_the_driver() -> None:
    with pytest.raises(EngineError, match=r"nvidia-smi.*CUDA_VISIBLE_DEVICES"):
        resolve_device(machine(), "cuda:0")


def test_a_device_beyond_the_last_names_the_last() -> None:
    with pytest.raises(EngineError, match=r"sees 2 CUDA device.*cuda:1"):
        resolve_device(machine(2), "cuda:2")


@pytest.mark.parametrize("dtype", ["auto", "float32", "float16", "bfloat16"])
def test_a_device_that_has_everything_takes_everything(dtype: str) -> None:
    require_dtype(machine(), dtype, "cpu")
    require_dtype(machine(1), dtype, "cuda:0")


def test_a_dtype_without_arithmetic_names_device_and_alternatives() -> None:
    with pytest.raises(EngineError, match="dtype='float16' is not supported by cpu") as caught:
        require_dtype(machine(lacks="float16"), "float16", "cpu")
    assert "'float32' or 'bfloat16'" in str(caught.value)


def test_emulated_bfloat16_is_not_what_was_asked() -> None:
    old = machine(1, native_bf16=False)
    with pytest.raises(EngineError, match=r"cuda:0 \(NVIDIA cuda:0\)") as caught:
        require_dtype(old, "bfloat16", "cuda:0")
    assert "'float32' or 'float16'" in str(caught.value)
    require_dtype(old, "auto", "cuda:0")


def test_a_gpu_is_known_by_the_uuid_that_nvml_uses() -> None:
    assert device_uuid(machine(1), "cuda:0") == "GPU-8f6e-1"
    assert device_uuid(machine(1), "cpu") is None
    assert device_name(machine(1), "cuda:0") == "NVIDIA cuda:0"


@given(st.integers(1, 256))
def test_one_core_is_left_to_others(cores: int) -> None:
    assert default_threads({}, cores) == max(1, cores - 1)
    assert default_threads({"OMP_NUM_THREADS": ""}, cores) == max(1, cores - 1)
    assert default_threads({"OMP_NUM_THREADS": "3"}, cores) is None


def test_only_cores_that_the_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5})
    assert usable_cores() == 2
