"""Requests that go on coming: by their arrival times, or by clients that wait for answers."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.openai.departures import Departures
from pytest_llem.engines.openai.prepared import Prepared
from pytest_llem.errors import EngineError, LlemError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from pytest_llem.engines.openai.body import Dialect, Vocabulary
    from pytest_llem.engines.openai.client import Client
    from pytest_llem.engines.openai.loop import EventLoop
    from pytest_llem.engines.served import ServedRequest
    from pytest_llem.workloads.request import Request

AHEAD_NS = 200_000_000
"""Requests have their connection, and are handed to who sends them, so long before they are due;
the first one is due after that time, too."""
SWITCH_S = 0.0005
"""How long a thread that makes prompts may keep the one that reads answers from the interpreter;
Python's default is ten times as long."""
PAUSE_S = 0.05
"""How long a client waits after a failure before it asks again."""
LONGEST_PAUSE_S = 5.0
CANCEL_S = 1.0
"""After so long, what was cancelled and still goes on is cancelled again."""


class HttpStream:
    """Traffic to one server, driven by the event loop's thread."""

    def __init__(
        self, loop: EventLoop, client: Client, dialect: Dialect, vocabulary: Vocabulary
    ) -> None:
        self._loop, self._client = loop, client
        self._dialect, self._vocabulary = dialect, vocabulary
        self._ended: deque[ServedRequest] = deque()
        self._wanted = 0
        self._enough = threading.Event()
        self._failure: Exception | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._prepared: Prepared[tuple[Request, bytes]] | None = None
        self._departures: Departures | None = None
        self._switch_s = sys.getswitchinterval()

    @property
    def in_flight(self) -> int:
        """Requests that were sent and are not answered yet."""
        return self._client.in_flight

    def start(self, requests: Iterator[Request], concurrency: int | None) -> None:
        """Begin, with so many clients or, if ``None``, by arrival times."""
        self._prepared = Prepared(map(self._ready, requests), self._loop.loop)
        if concurrency is None:
            work = [self._open_loop(self._prepared)]
        else:
            work = [self._client_of(self._prepared) for _ in range(concurrency)]
        self._prepared.wait()
        gc.collect()
        gc.freeze()  # else a collection of all that was ever imported may stop the loop for long
        sys.setswitchinterval(SWITCH_S)
        self._loop.run(self._spawn(work))

    def take(self, count: int) -> list[ServedRequest]:
        """The next *count* requests that ended.

        Raises:
            EngineError: the requests cannot be made any more.
        """
        self._wanted = count
        while len(self._ended) < count:
            if self._failure is not None:
                raise _told(self._failure) from self._failure
            self._enough.clear()
            if len(self._ended) < count and self._failure is None:
                self._enough.wait()
        return [self._ended.popleft() for _ in range(count)]

    def discard(self) -> None:
        """Forget the requests that ended and were not taken."""
        self._ended.clear()

    def close(self) -> None:
        """Give up what is under way, and wait until it is."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return
        self._loop.run(self._cancel())
        prepared.close()
        sys.setswitchinterval(self._switch_s)
        gc.unfreeze()

    def _ready(self, request: Request) -> tuple[Request, bytes]:
        body = self._dialect.body(request, self._vocabulary)
        return request, self._client.message(self._dialect.path, body)

    async def _spawn(self, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        for one in work:
            self._track(asyncio.ensure_future(one))

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error if isinstance(error, Exception) else EngineError(repr(error))
        elif not self._tasks and self._failure is None:
            self._failure = EngineError("there are no more requests to send.")
        if self._failure is not None:
            self._enough.set()

    async def _cancel(self) -> None:
        while self._tasks:  # once more what took its cancellation for something else
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_S)
        self._client.follow(None)
        if self._departures is not None:
            self._departures.close()
            self._departures = None

    async def _open_loop(self, prepared: Prepared[tuple[Request, bytes]]) -> None:
        """Have each request sent when it is due, whatever became of those before it.

        Instants are those of the plan rather than sums of pauses, so that being late once does
        not make the next one late.
        """
        clock = self._client.clock
        self._departures = Departures()
        self._client.follow(self._departures)
        start_ns = clock() + AHEAD_NS
        while (one := await prepared.next()) is not None:
            request, message = one
            due_ns = start_ns + round((request.arrival_s or 0.0) * 1e9)
            await asyncio.sleep(max(due_ns - AHEAD_NS - clock(), 0) / 1e9)
            self._track(asyncio.ensure_future(self._serve(request, message, due_ns)))

    async def _client_of(self, prepared: Prepared[tuple[Request, bytes]]) -> None:
        while (one := await prepared.next()) is not None:
            pause_s = await self._one(*one, self._client.clock())
            if pause_s:
                await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))

    async def _serve(self, request: Request, message: bytes, due_ns: int) -> None:
        await self._one(request, message, due_ns, self._departures)

    async def _one(
        self, request: Request, message: bytes, due_ns: int, departures: Departures | None = None
    ) -> float:
        """Serve one request; how long its client should pause, in seconds."""
        served, pause_s = await self._client.serve(message, request, due_ns, departures)
        self._ended.append(served)
        if len(self._ended) >= self._wanted:
            self._enough.set()
        return max(pause_s, PAUSE_S) if served.failure else 0.0


def _told(error: Exception) -> LlemError:
    if isinstance(error, LlemError):
        return error
    return EngineError(f"requests cannot be made: {type(error).__name__}: {error}")
