"""What TensorRT-LLM raises, in words that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llem.engines.tensorrt_llm.installed import NO_DRIVER, driver_loads
from pytest_llem.engines.torch_faults import OUT_OF_MEMORY, first_line
from pytest_llem.errors import ConfigError, EngineError, LlemError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORY = (
    *OUT_OF_MEMORY,
    "insufficient gpu memory",
    "insufficient memory",
    "outofmemoryerror",
    "cudaerrormemoryallocation",
    "outofmemory",
    "could not fit any sequence",
    "no space left in kv cache",
)
REMEDIES = {
    "do not support bfloat16": "Use dtype='float16', or a newer GPU.",
    "no kernel image is available": (
        "This GPU is older or newer than those that TensorRT-LLM was built for."
    ),
    "unsupported sm": "This GPU is older or newer than those that TensorRT-LLM was built for.",
    "unknown architecture": (
        "This version of TensorRT-LLM does not have the model's architecture. Take a newer version, or "
        "another engine."
    ),
    "unsupported architecture": (
        "The backend does not have the model's architecture. Try the other one with "
        "tensorrt_llm.backend, a newer version, or another engine."
    ),
    "gpus are available, but": (
        "Lower tensor_parallel_size or pipeline_parallel_size, or let more be seen with "
        "CUDA_VISIBLE_DEVICES."
    ),
    "nccl error": "See what NCCL prints with NCCL_DEBUG=INFO.",
}
"""What helps, by a part of the message."""
ARGUMENTS = (
    "got invalid argument",
    "extra inputs are not permitted",
    "unexpected keyword argument",
)


@contextmanager
def explained(
    *,
    doing: str,
    try_instead: str,
    cause: Callable[[], str | None] = lambda: None,
    has_driver: Callable[[], bool] = driver_loads,
) -> Iterator[None]:
    """Turn whatever TensorRT-LLM raises inside into an error that says what to do.

    Args:
        doing: what was attempted, such as ``load the model 'x'``.
        try_instead: what helps if the memory is too small.
        cause: what the engine's own processes printed, where the error is theirs.
        has_driver: whether CUDA's driver library can be loaded.
    """
    try:
        yield
    except LlemError:
        raise
    except (Exception, SystemExit) as error:  # a failed worker may end the process
        raise _explanation(error, doing, try_instead, cause(), has_driver) from error


def _explanation(
    error: BaseException,
    doing: str,
    try_instead: str,
    told: str | None,
    has_driver: Callable[[], bool],
) -> LlemError:
    said = f"{type(error).__name__}: {_line(error)}"
    everything = " ".join([*_texts(error), told or ""]).lower()
    if isinstance(error, MemoryError) or any(sign in everything for sign in MEMORY):
        short = told or said
        return OutOfMemoryError(f"out of memory: could not {doing} ({short}). {try_instead}")
    if any(sign in everything for sign in ARGUMENTS):
        return ConfigError(
            f"could not {doing}: {_all(error)} Options of tensorrt_llm are named as the installed "
            "version's arguments."
        )
    remedy = next((help_ for sign, help_ in REMEDIES.items() if sign in everything), "")
    if not remedy and not has_driver():
        remedy = f"Note that {NO_DRIVER}"
    detail = f" ({told})" if told and told not in said else ""
    return EngineError(f"could not {doing}: {said}{detail}{remedy and f' {remedy}'}")


def _texts(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{type(error).__name__} {error}"
        error = error.__cause__ or error.__context__


def _line(error: BaseException) -> str:
    return first_line(error if isinstance(error, Exception) else RuntimeError(str(error)))


def _all(error: BaseException, limit: int = 400) -> str:
    return " ".join(str(error).split())[:limit].rstrip(".") + "."
