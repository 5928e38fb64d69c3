"""Connections to one server, kept for further requests."""

from __future__ import annotations

import asyncio
import ssl
from itertools import count
from typing import TYPE_CHECKING

from pytest_llem.engines.openai.address import Address
from pytest_llem.engines.openai.answer import AnswerError
from pytest_llem.engines.openai.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_NS = 1_000_000_000
"""Connections idle for longer are not used again: servers end theirs after a few seconds, and a
request that meets that end fails."""


class Pool:
    """As many connections as there are requests at a time; belongs to one event loop."""

    def __init__(self, url: str, connect_timeout_s: float, clock: Callable[[], int]) -> None:
        self._address = Address.of(url)
        self._tls = ssl.create_default_context() if url.startswith("https:") else None
        self._timeout_s, self._clock = connect_timeout_s, clock
        self._numbers = count()
        self._idle: list[Connection] = []
        self._all: dict[int, Connection] = {}
        self.on_closed: Callable[[int], None] | None = None
        """Is told the numbers of connections that ended."""

    async def take(self) -> Connection:
        """A connection that is used by nobody else.

        Raises:
            AnswerError: there is none to be had.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and self._clock() - connection.idle_since_ns < IDLE_NS:
                return connection
            connection.abort()
        return await self._opened()

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read, or end it where it cannot be used again."""
        if connection.reusable():
            connection.idle_since_ns = self._clock()
            self._idle.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        """End all of them."""
        self._idle.clear()
        for connection in list(self._all.values()):
            connection.abort()

    async def _opened(self) -> Connection:
        host, port = self._address.host, self._address.port
        connection = Connection(next(self._numbers), self._clock, self._over)
        loop = asyncio.get_running_loop()
        try:
            # not wait_for, which until Python 3.12 forgets that it was cancelled once this is done
            async with asyncio.timeout(self._timeout_s):
                await loop.create_connection(lambda: connection, host, port, ssl=self._tls)
        except TimeoutError:
            said = f"no connection within {self._timeout_s:g} s (openai.connect_timeout_s)"
            raise AnswerError("unreachable", said) from None
        except OSError as error:
            raise AnswerError("unreachable", f"no connection: {_said(error)}") from None
        self._all[connection.number] = connection
        return connection

    def _over(self, number: int) -> None:
        self._all.pop(number, None)
        if self.on_closed is not None:
            self.on_closed(number)


def _said(error: OSError) -> str:
    return error.strerror or str(error)
