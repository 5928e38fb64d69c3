"""Requests over HTTP, in an event loop that has a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llem.engines.openai.answer import SHOWN, Answer, AnswerError, message_of
from pytest_llem.engines.openai.events import EventParser
from pytest_llem.engines.served import ServedRequest
from pytest_llem.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_llem.config.engines.openai import OpenaiOptions
    from pytest_llem.workloads.request import Request

T = TypeVar("T")
OK = 200
PRIORITY = -10
"""Niceness of the thread that sends: late requests are other arrivals than those asked for."""
LONGEST_ERROR_BYTES = 1 << 16


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


class Client:
    """Speaks with one server."""

    def __init__(
        self,
        options: OpenaiOptions,
        base_url: str,
        api_key: str | None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Raises MissingExtraError where aiohttp is not installed."""
        self._http = http_library()
        self._options, self.base_url, self.clock = options, base_url.rstrip("/"), clock
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._session: Any = None

    async def open(self) -> None:
        """Has to be done within the event loop."""
        options, http = self._options, self._http
        timeout = http.ClientTimeout(
            total=options.request_timeout_s,
            sock_connect=options.connect_timeout_s,
            sock_read=options.stall_timeout_s,
        )
        connector = http.TCPConnector(limit=0, keepalive_timeout=30)
        self._session = http.ClientSession(
            connector=connector, timeout=timeout, headers=self._headers, trust_env=False
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, timeout_s: float = 5.0) -> tuple[int, Any]:
        """Status and JSON of *url*; ``None`` for what is no JSON.

        Raises:
            AnswerError: it cannot be had.
        """
        try:
            timeout = self._http.ClientTimeout(total=timeout_s)
            async with self._session.get(url, timeout=timeout) as response:
                content = await response.content.read(LONGEST_ERROR_BYTES)
                return response.status, _json_of(content)
        except (OSError, TimeoutError, self._http.ClientError) as error:
            raise self._explained(error) from None

    async def serve(
        self, path: str, body: bytes, request: Request, due_ns: int
    ) -> tuple[ServedRequest, float]:
        """What became of *request*, and for how many seconds the server asks to be left alone."""
        sent_ns = self.clock()
        due_ns = min(due_ns, sent_ns)  # it may be sent a little early
        try:
            answer = await self._asked(path, body)
            return answer.served(request, due_ns, sent_ns, self._ended(answer)), 0.0
        except AnswerError as error:
            return self._failed(request, due_ns, sent_ns, error), error.retry_after_s or 0.0
        except (OSError, TimeoutError, ValueError, self._http.ClientError) as error:
            return self._failed(request, due_ns, sent_ns, self._explained(error)), 0.0

    async def _asked(self, path: str, body: bytes) -> Answer:
        answer, events, clock = Answer(), EventParser(), self.clock
        async with self._session.post(self.base_url + path, data=body) as response:
            if response.status != OK:
                raise await _refusal(response)
            if not response.content_type.startswith("text/event-stream"):
                raise AnswerError("not_streamed", f"the answer is {response.content_type}")
            while data := await response.content.readany():
                at_ns = clock()
                for event in events.feed(data):
                    answer.add(event, at_ns)
        return answer

    def _ended(self, answer: Answer) -> int:
        """The last token's instant where there was any: what follows it is no part of the work."""
        return answer.chunk_ns[-1] if answer.chunk_ns else self.clock()

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

    def _explained(self, error: Exception) -> AnswerError:
        http, options = self._http, self._options
        if isinstance(error, http.SocketTimeoutError):
            said = f"nothing came for {options.stall_timeout_s:g} s (openai.stall_timeout_s)"
            return AnswerError("stalled", said)
        if isinstance(error, http.ConnectionTimeoutError):
            said = f"no connection within {options.connect_timeout_s:g} s"
            return AnswerError("unreachable", said)
        if isinstance(error, TimeoutError):
            said = f"not answered within {options.request_timeout_s:g} s (openai.request_timeout_s)"
            return AnswerError("timed_out", said)
        if isinstance(error, http.ClientConnectorError):
            return AnswerError("unreachable", f"no connection: {error.os_error.strerror or error}")
        if isinstance(error, OSError | http.ClientPayloadError | http.ServerDisconnectedError):
            return AnswerError("disconnected", "the connection ended amid the answer")
        return AnswerError("malformed", f"{type(error).__name__}: {error}"[:SHOWN])


async def _refusal(response: Any) -> AnswerError:
    content = await response.content.read(LONGEST_ERROR_BYTES)
    found = _json_of(content)
    error = (
        (found.get("error") or found)
        if isinstance(found, dict)
        else content.decode("utf-8", "replace")
    )
    said = message_of(error) or str(response.reason)
    return AnswerError(f"http_{response.status}", said, _retry_after_s(response.headers))


def _retry_after_s(headers: Any) -> float | None:
    """Seconds of ``Retry-After``; a date, which servers of models do not send, is not read."""
    text = str(headers.get("Retry-After", ""))
    return float(text) if text.isdecimal() else None


def _json_of(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def http_library() -> Any:
    """The package aiohttp.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module("aiohttp")
    except ModuleNotFoundError:
        raise MissingExtraError("aiohttp", "openai") from None
