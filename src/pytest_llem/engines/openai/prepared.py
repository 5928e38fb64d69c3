"""Requests that are made ready ahead, by a thread that does nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
AHEAD = 64
"""How many are ready at most."""


class Prepared(Generic[T]):
    """Takes *items*, which may take long to make, out of the event loop's way."""

    def __init__(self, items: Iterator[T], loop: asyncio.AbstractEventLoop) -> None:
        self._items, self._loop = items, loop
        self._ready: deque[T] = deque()
        self._room = threading.Semaphore(AHEAD)
        self._some = asyncio.Event()
        self._full = threading.Event()
        self._closed = self._over = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._make, name="llem-prompts", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until as many are ready as ever are; not within the event loop."""
        self._full.wait()

    async def next(self) -> T | None:
        """The next one; ``None`` if there are no more.

        Raises:
            Exception: what making it raised.
        """
        while not self._ready:
            if self._error is not None:
                raise self._error
            if self._over:
                return None
            self._some.clear()
            if not self._ready and not self._over:
                await self._some.wait()
        self._room.release()
        return self._ready.popleft()

    def close(self) -> None:
        """Make no more; not within the event loop."""
        self._closed = True
        self._room.release()
        self._thread.join()

    def _make(self) -> None:
        try:
            for item in self._items:
                if not self._room.acquire(blocking=False):
                    self._full.set()
                    self._room.acquire()
                if self._closed:
                    return
                self._ready.append(item)
                if not self._some.is_set():
                    self._loop.call_soon_threadsafe(self._some.set)
        except Exception as error:  # noqa: BLE001 - told to who waits for the next one
            self._error = error
        finally:
            self._over = True
            self._full.set()
            if not self._closed:
                self._loop.call_soon_threadsafe(self._some.set)
