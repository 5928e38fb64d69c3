"""What libraries raise, told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_llem.engines.torch_faults import explained
from pytest_llem.errors import ConfigError, EngineError, OutOfMemoryError


class CudaOutOfMemoryError(RuntimeError):
    """Stands in for torch's own."""


TORCH = SimpleNamespace(cuda=SimpleNamespace(OutOfMemoryError=CudaOutOfMemoryError))


def fail(error: Exception) -> None:
    with explained(TORCH, doing="load 'x' on cuda:0", try_instead="Try less."):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        CudaOutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 bytes"),
        RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_way_to_run_out_of_memory_says_what_to_try(error: Exception) -> None:
    with pytest.raises(OutOfMemoryError, match=r"could not load 'x' on cuda:0 .* Try less\."):
        fail(error)


@pytest.mark.parametrize(
    "error", [ValueError("out of memory"), KeyError("qwen9"), OSError("no file"), ImportError("x")]
)
def test_anything_else_is_an_engine_error_with_its_kind(error: Exception) -> None:
    with pytest.raises(EngineError, match=type(error).__name__) as caught:
        fail(error)
    assert not isinstance(caught.value, OutOfMemoryError)
    assert caught.value.__cause__ is error


def test_long_messages_are_cut_to_their_first_line() -> None:
    with pytest.raises(EngineError) as caught:
        fail(ValueError("\n\n  first  \nsecond\n" + "x" * 10_000))
    assert str(caught.value) == "could not load 'x' on cuda:0: ValueError: first"


def test_errors_of_our_own_pass_unchanged() -> None:
    own = ConfigError("as it is")
    with pytest.raises(ConfigError) as caught:
        fail(own)
    assert caught.value is own


def test_an_interrupt_is_not_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), explained(TORCH, doing="x", try_instead="y"):
        raise KeyboardInterrupt
