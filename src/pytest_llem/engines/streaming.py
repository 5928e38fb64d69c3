"""Requests of a batch that are served one by one, each when it is due, in an event loop of its engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from pytest_llem.workloads.request import Request

T = TypeVar("T")


class Prepared(Protocol):
    """A batch as an engine takes it."""

    @property
    def requests(self) -> Sequence[Request]: ...
    @property
    def prompts(self) -> Sequence[Any]: ...
    @property
    def parameters(self) -> Sequence[Any]: ...


class OwnLoop:
    """An event loop that runs while a batch is served and at no other time."""

    def __init__(self, option: str) -> None:
        """*option* is the setting by which the engine does without a loop."""
        self._option = option
        self._loop = asyncio.new_event_loop()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* comes to.

        Raises:
            EngineError: another event loop runs in this thread.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(work)
        work.close()
        raise EngineError(
            "a model that streams cannot be used inside a running event loop. Make the test a plain "
            f"function, or set {self._option}=false."
        )

    def close(self) -> None:
        self._loop.close()


def each(
    one: Callable[[Request, Any, Any], Coroutine[Any, Any, T]], batch: Prepared
) -> list[asyncio.Task[T]]:
    """A job for each request of *batch*, which *one* makes of it, its prompt and its parameters."""
    return [
        asyncio.ensure_future(one(request, prompt, parameters))
        for request, prompt, parameters in zip(
            batch.requests, batch.prompts, batch.parameters, strict=True
        )
    ]


async def due(request: Request, start_ns: int, clock: Callable[[], int]) -> int | None:
    """Wait until *request* is due; when it was, or ``None`` if that was at once."""
    if request.arrival_s is None:
        return None
    due_ns = start_ns + round(request.arrival_s * 1e9)
    while (left_ns := due_ns - clock()) > 0:  # noqa: ASYNC110 - waits for a time, not an event
        await asyncio.sleep(left_ns / 1e9)
    return due_ns
