"""One connection to a server, and one request on it at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from pytest_llem.engines.openai.answer import AnswerError
from pytest_llem.engines.openai.response import ResponseParser

if TYPE_CHECKING:
    from collections.abc import Callable

OK = 200
LONGEST_ERROR_BYTES = 1 << 16


class Exchange:
    """What is read of one answer; an answer whose status is not 200 is kept whole.

    Made within the event loop. ``done`` comes to nothing once the answer is complete, or to an
    :class:`AnswerError`.
    """

    def __init__(self) -> None:
        self.response = ResponseParser()
        self.content = bytearray()
        self.heard_ns = 0
        """When something came last."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def received(self, data: bytes, at_ns: int) -> None:
        """Take what was read at an instant into account."""
        if self.done.done():
            return
        self.heard_ns = at_ns
        try:
            for piece in self.response.feed(data):
                self.take(piece, at_ns)
        except AnswerError as error:
            self.fail(error)
        except ValueError as error:
            self.fail(AnswerError("malformed", f"no answer of HTTP: {error}"))
        else:
            if self.response.complete:
                self.done.set_result(None)

    def take(self, piece: bytes, _at_ns: int) -> None:
        """Take a part of the content into account.

        Raises:
            AnswerError: the answer is of no use.
        """
        if len(self.content) < LONGEST_ERROR_BYTES:
            self.content += piece

    def lost(self) -> None:
        """The connection has ended."""
        if not self.done.done():
            if self.response.ended():
                self.done.set_result(None)
            else:
                self.fail(AnswerError("disconnected", "the connection ended amid the answer"))

    def fail(self, error: AnswerError) -> None:
        """Give the answer up, unless it is complete."""
        if not self.done.done():
            self.done.set_exception(error)


class Connection(asyncio.Protocol):
    """Stamps what it reads as it comes."""

    def __init__(self, number: int, clock: Callable[[], int], over: Callable[[int], None]) -> None:
        """*over* is called with *number* when the connection has ended."""
        self.number = number
        self.idle_since_ns = 0
        self.alive = False
        self._clock, self._over = clock, over
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport

    @property
    def encrypted(self) -> bool:
        """Whether only this process can write to it."""
        return self._transport.get_extra_info("ssl_object") is not None

    def fileno(self) -> int:
        """Descriptor of the socket."""
        fileno: int = self._transport.get_extra_info("socket").fileno()
        return fileno

    def begin(self, exchange: Exchange) -> None:
        """Let *exchange* have what is read from now on."""
        self._exchange = exchange
        if not self.alive:
            exchange.lost()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def reusable(self) -> bool:
        """Whether another request may follow, now that the answer was read."""
        exchange, self._exchange = self._exchange, None
        whole = exchange is not None and exchange.done.done() and not exchange.done.cancelled()
        if exchange is None or not whole or exchange.done.exception() is not None:
            return False
        return self.alive and exchange.response.reusable

    def abort(self) -> None:
        """End the connection at once."""
        if self.alive:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.alive = cast("asyncio.Transport", transport), True

    def data_received(self, data: bytes) -> None:
        at_ns = self._clock()
        if self._exchange is None:  # nothing was asked
            self.abort()
        else:
            self._exchange.received(data, at_ns)

    def connection_lost(self, _error: Exception | None) -> None:
        self.alive = False
        if self._exchange is not None:
            self._exchange.lost()
        self._over(self.number)
