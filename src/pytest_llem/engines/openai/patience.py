"""How long a server is waited for."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llem.engines.openai.answer import AnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.engines.openai.connection import Exchange


class Patience:
    """Gives answers up of which nothing came for long, or that take too long altogether."""

    def __init__(self, stall_s: float, whole_s: float, clock: Callable[[], int]) -> None:
        self._stall_s, self._whole_s, self._clock = stall_s, whole_s, clock

    @contextmanager
    def over(self, exchange: Exchange, sent_ns: int) -> Iterator[None]:
        """Be patient with an answer to what was sent at an instant, within the event loop."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            now_ns = self._clock()
            whole_s = self._whole_s - (now_ns - sent_ns) / 1e9
            stall_s = self._stall_s - (now_ns - max(exchange.heard_ns, sent_ns)) / 1e9
            if whole_s <= 0:
                said = f"not answered within {self._whole_s:g} s (openai.request_timeout_s)"
                exchange.fail(AnswerError("timed_out", said))
            elif stall_s <= 0:
                said = f"nothing came for {self._stall_s:g} s (openai.stall_timeout_s)"
                exchange.fail(AnswerError("stalled", said))
            timer = loop.call_later(max(min(whole_s, stall_s), 0.001), look)

        timer = loop.call_later(min(self._stall_s, self._whole_s), look)
        try:
            yield
        finally:
            timer.cancel()
