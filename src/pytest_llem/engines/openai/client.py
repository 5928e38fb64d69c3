"""Requests to one server over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pytest_llem.engines.openai.answer import AnswerError, message_of
from pytest_llem.engines.openai.connection import OK, Exchange
from pytest_llem.engines.openai.patience import Patience
from pytest_llem.engines.openai.pool import Pool
from pytest_llem.engines.openai.streamed import Streamed
from pytest_llem.engines.served import ServedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llem.config.engines import OpenaiOptions
    from pytest_llem.engines.openai.answer import Answer
    from pytest_llem.engines.openai.connection import Connection
    from pytest_llem.engines.openai.departures import Departures
    from pytest_llem.workloads.request import Request

GET_S = 5.0
"""How long a server may take over what it says of itself."""
ASKED = {"Accept": "text/event-stream", "Content-Type": "application/json"}


class Client:
    """Speaks with one server; all but :meth:`message` belongs to one event loop."""

    def __init__(
        self,
        options: OpenaiOptions,
        base_url: str,
        api_key: str | None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.base_url, self.clock = base_url.rstrip("/"), clock
        self.in_flight = 0
        """Requests that were sent and are not answered yet."""
        self._patience = Patience(options.stall_timeout_s, options.request_timeout_s, clock)
        self._pool = Pool(self.base_url, options.connect_timeout_s, clock)
        host = urlsplit(base_url).netloc
        self._fields = {
            "Host": host if host.isascii() else host.encode("idna").decode(),
            "User-Agent": "pytest-llem",
            "Accept-Encoding": "identity",
        }
        if api_key:
            self._fields["Authorization"] = f"Bearer {api_key}"

    async def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def follow(self, departures: Departures | None) -> None:
        """Tell *departures* of connections that end."""
        self._pool.on_closed = None if departures is None else departures.closed

    def message(self, path: str, body: bytes) -> bytes:
        """A request for a streamed answer, as it is sent."""
        fields = {**ASKED, "Content-Length": str(len(body))}
        return self._head("POST", self.base_url + path, fields) + body

    async def get(self, url: str, timeout_s: float = GET_S) -> tuple[int, Any]:
        """Status and JSON of *url* on the server; ``None`` for what is no JSON.

        Raises:
            AnswerError: it cannot be had.
        """
        exchange, connection = Exchange(), await self._pool.take()
        try:
            connection.begin(exchange)
            connection.write(self._head("GET", url, {"Accept": "application/json"}))
            async with asyncio.timeout(timeout_s):
                await exchange.done
        except TimeoutError:
            raise AnswerError("timed_out", f"not answered within {timeout_s:g} s") from None
        finally:
            self._pool.give_back(connection)
        return exchange.response.status, _json_of(bytes(exchange.content))

    async def serve(
        self, message: bytes, request: Request, due_ns: int, departures: Departures | None = None
    ) -> tuple[ServedRequest, float]:
        """What became of *request*, and for how many seconds the server asks to be left alone.

        Args:
            message: what to send.
            request: what is asked for.
            due_ns: when it is to be sent; the connection is made before.
            departures: sends it then; ``None`` has the event loop do it.

        Raises:
            EngineError: nothing can be sent any more.
        """
        try:
            connection = await self._pool.take()
        except AnswerError as error:
            await self._until(due_ns)
            return self._failed(request, due_ns, self.clock(), error), 0.0
        exchange = Streamed()
        try:
            connection.begin(exchange)
            sent_ns = await self._sent(connection, message, due_ns, departures)
            try:
                answer = await self._answer(exchange, sent_ns)
                end_ns = answer.chunk_ns[-1] if answer.chunk_ns else self.clock()
                return answer.served(request, due_ns, sent_ns, end_ns), 0.0
            except AnswerError as error:
                return self._failed(request, due_ns, sent_ns, error), error.retry_after_s or 0.0
        finally:
            self._pool.give_back(connection)

    async def _sent(
        self, connection: Connection, message: bytes, due_ns: int, departures: Departures | None
    ) -> int:
        """Send *message* when it is due; when that was."""
        if departures is not None and not connection.encrypted:
            return await departures.send(connection, due_ns, message)
        await self._until(due_ns)
        sent_ns = self.clock()
        connection.write(message)
        return sent_ns

    async def _answer(self, exchange: Streamed, sent_ns: int) -> Answer:
        self.in_flight += 1
        try:
            with self._patience.over(exchange, sent_ns):
                await exchange.done
        finally:
            self.in_flight -= 1
        response = exchange.response
        if response.status != OK:
            raise _refusal(response.status, response.headers, bytes(exchange.content))
        exchange.require_streamed()
        return exchange.answer

    async def _until(self, due_ns: int) -> None:
        await asyncio.sleep(max(due_ns - self.clock(), 0) / 1e9)

    def _head(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        path = quote(urlsplit(url).path or "/", safe="/%:@!$&'()*+,;=~")
        lines = [f"{name}: {value}" for name, value in {**self._fields, **fields}.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")

    def _failed(
        self, request: Request, due_ns: int, sent_ns: int, error: AnswerError
    ) -> ServedRequest:
        return ServedRequest(
            request_id=request.request_id,
            due_ns=due_ns,
            sent_ns=sent_ns,
            end_ns=self.clock(),
            failure=error.kind,
            said=str(error),
        )


def _refusal(status: int, headers: Mapping[str, str], content: bytes) -> AnswerError:
    found = _json_of(content)
    error = (
        (found.get("error") or found)
        if isinstance(found, dict)
        else content.decode("utf-8", "replace")
    )
    said = message_of(error) or f"status {status}"
    return AnswerError(f"http_{status}", said, _retry_after_s(headers))


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of ``Retry-After``; a date, which servers of models do not send, is not read."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _json_of(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
