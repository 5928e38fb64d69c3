"""What vLLM raises, in words that say what to do."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.torch_faults import OUT_OF_MEMORY, first_line, ran_out_of_memory
from pytest_llem.errors import EngineError, LlemError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VLLM_OUT_OF_MEMORY = (
    *OUT_OF_MEMORY,
    "outofmemoryerror",
    "no available memory for the cache blocks",
    "less than desired gpu memory utilization",
    "less than desired cpu memory utilization",
    "less than requested memory for kv",
    "larger than the available kv cache memory",
)
"""vLLM raises a ValueError where its share of the memory does not hold what it must."""
DEAD = ("EngineDeadError", "EngineGenerateError")
KILLED = re.compile(r"Failed core proc\(s\): \{[^}]*: -(\d+)")


@contextmanager
def explained(
    torch: Any,
    *,
    doing: str,
    try_instead: str,
    cause: Callable[[], str | None] = lambda: None,
) -> Iterator[None]:
    """Turn whatever vLLM raises inside into an :class:`EngineError`.

    Args:
        torch: the imported module.
        doing: what was attempted, such as ``load the model 'x'``.
        try_instead: what helps if the memory is too small.
        cause: what the engine's own processes printed, where the error is theirs.
    """
    try:
        yield
    except LlemError:
        raise
    except (Exception, SystemExit) as error:  # vLLM raises anything; a failed core exits
        told = cause()
        said = told or f"{type(error).__name__}: {first_line(_innermost(error))}"
        if _is_memory(torch, error, told):
            raise OutOfMemoryError(
                f"out of memory: could not {doing} ({said}). {try_instead}"
            ) from error
        raise EngineError(f"could not {doing}: {said}{_how_it_died(error)}") from error


def _innermost(error: BaseException) -> Exception:
    """What an error that only says that generating failed was raised from."""
    inner = error.__cause__
    found = inner if type(error).__name__ in DEAD and inner is not None else error
    return found if isinstance(found, Exception) else RuntimeError(str(found))


def _is_memory(torch: Any, error: BaseException, told: str | None) -> bool:
    text = f"{error} {told or ''}".lower()
    if any(sign in text for sign in VLLM_OUT_OF_MEMORY[len(OUT_OF_MEMORY) :]):
        return True
    if told is not None and any(sign in told.lower() for sign in OUT_OF_MEMORY):
        return True
    return isinstance(error, Exception) and ran_out_of_memory(torch, _innermost(error))


def _how_it_died(error: BaseException) -> str:
    """What follows from the kind of the error."""
    if match := KILLED.search(str(error)):
        number = int(match[1])
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        memory = ", as the kernel does when memory runs out" if number == signal.SIGKILL else ""
        return f" The engine's core was killed by {name}{memory}."
    if type(error).__name__ == "EngineDeadError":
        return (
            " The engine's core is dead and serves nothing more; what it printed last is in this "
            "experiment's output."
        )
    return ""
