"""An event loop that has a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
PRIORITY = -10
"""Niceness of the thread that reads: stamps are taken when it has its turn."""


class EventLoop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="llem-requests", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* comes to; it is given up if waiting for it is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # without the right to it, it takes its turn
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
