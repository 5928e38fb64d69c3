"""The fixed loops: the same work every time, under a name that says all that decides how it runs."""

from __future__ import annotations

import ctypes
import hashlib
import platform
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.errors import EngineError
from pytest_llem.measure.anchors import cpu, cuda
from pytest_llem.measure.anchors.kernels import BLOCKS, COMPUTE, MEMORY, THREADS, source

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_loops_of_a_cpu_do_the_same_work_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    copied: list[int] = []

    def noting(some: list[int], size: Callable[..., int], do: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            some.append(size(*arguments))
            return do(*arguments)

        return noted

    monkeypatch.setattr(cpu, "COPIED_BYTES", 1 << 20)
    monkeypatch.setattr(hashlib, "blake2b", noting(hashed, len, hashlib.blake2b))
    moving = noting(copied, lambda _to, _from, count: int(count), ctypes.memmove)
    monkeypatch.setattr(ctypes, "memmove", moving)
    with cpu.cpu_loops() as (compute, memory):
        for turn in (compute.turn, memory.turn) * 2:
            turn()
    threads = int(compute.name.partition("-x")[2].partition("/")[0])
    assert compute.name == f"compute/cpu-blake2b-x{threads}/1/cpython-{platform.python_version()}"
    assert memory.name.startswith(f"memory/cpu-memmove-x{threads}/1/")
    assert hashed == [cpu.HASHED_BYTES] * cpu.HASHES * threads * 2
    assert copied == [(1 << 20) // threads] * cpu.COPIES * threads * 2


def test_without_a_driver_it_is_said_what_the_loops_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "LIBRARY", "libcuda.so.of-nowhere")
    with (
        pytest.raises(EngineError, match="need NVIDIA's driver here, beside pytest"),
        cuda.cuda_loops(1, None),
    ):
        pass


def test_every_thread_of_the_kernels_has_work_within_its_bounds() -> None:
    text = source().decode()
    assert text.endswith("\0")
    for kernel in (COMPUTE, MEMORY):
        assert f".visible .entry {kernel}(" in text
    assert BLOCKS * THREADS * 2.0**-22 + 0.06 < 1  # the logistic map starts between 0 and 1
    assert BLOCKS * THREADS * 4 <= cuda.COPIED_BYTES  # one number a thread
    assert cuda.COPIED_BYTES % 16 == 0
