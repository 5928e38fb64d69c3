"""What torch and transformers raise, in words that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError, LlemError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

# torch raises a bare RuntimeError where an allocation fails outside its CUDA allocator.
OUT_OF_MEMORY = (
    "out of memory",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "cublas_status_alloc_failed",
)


@contextmanager
def explained(torch: Any, *, doing: str, try_instead: str) -> Iterator[None]:
    """Turn whatever a library raises inside into an :class:`EngineError`.

    Args:
        torch: the imported module.
        doing: what was attempted, such as ``load the model 'x' on cuda:0``.
        try_instead: what helps if the memory is too small.
    """
    try:
        yield
    except LlemError:
        raise
    except Exception as error:  # libraries raise anything, and each of it is an engine's error
        if ran_out_of_memory(torch, error):
            raise OutOfMemoryError(
                f"out of memory: could not {doing} ({first_line(error)}). {try_instead}"
            ) from error
        raise EngineError(
            f"could not {doing}: {type(error).__name__}: {first_line(error)}"
        ) from error


def ran_out_of_memory(torch: Any, error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in OUT_OF_MEMORY)


def first_line(error: Exception, limit: int = 400) -> str:
    """The first line of the error's text that says anything, cut to *limit* characters."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:limit]
