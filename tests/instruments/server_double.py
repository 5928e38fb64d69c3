"""A small server that speaks OpenAI's protocol, misbehaves as told, and stamps what it gets.

Run as a program, in a process of its own::

    python server_double.py '{"faults": ["ok", "http_500"], "gap_s": 0.001}'

It prints its port as the first line. Requests meet the faults in turn, again and again. ``GET
/stamps`` returns when the first byte of each request was read, by ``time.monotonic_ns``: by the
event loop, before anything else is done with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "double"
EVENT = b"data: %s\n\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass
class Script:
    """What the server does."""

    faults: list[str] = field(default_factory=lambda: ["ok"])
    """By answer, in turn and again; names of methods of :class:`Answering`."""
    per_chunk: int = 1
    """Tokens in a piece."""
    first_s: float = 0.0
    """Before the first token."""
    gap_s: float = 0.0
    """Before each piece after it."""
    ids: bool = True
    """Whether prompts may be token ids, and ``return_token_ids`` is known."""
    refuses: list[str] = field(default_factory=list)
    """Fields of a body that are refused with 400."""
    slots: int = 0
    """Requests served at a time, others wait; 0 serves all."""
    key: str = ""
    """API key that is wanted."""
    models: list[str] = field(default_factory=lambda: [MODEL])
    probe: str = "ok"
    """What is done to the first request of every session, which asks for two tokens."""
    ahead: bool = False
    """Whether it runs before others, so that its stamps are of arrivals and not of its turn."""
    loading_s: float = 0.0
    """For how long the server answers 503 after its start."""


class StampingReader(asyncio.StreamReader):
    """Knows when the first bytes came that were awaited."""

    awaited = False
    at_ns = 0

    def feed_data(self, data: Any) -> None:
        if self.awaited:
            self.at_ns, self.awaited = time.monotonic_ns(), False
        super().feed_data(data)


class Server:
    def __init__(self, script: Script) -> None:
        self.script, self.count, self.stamps = script, 0, []  # type: ignore[var-annotated]
        self.slots = asyncio.Semaphore(script.slots) if script.slots else None
        self.ready_s = time.monotonic() + script.loading_s

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, StampingReader)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                reader.awaited = True
                head = await reader.readuntil(b"\r\n\r\n")
                if not await self.answered(head, reader.at_ns, reader, writer):
                    break
        writer.close()

    async def answered(
        self, head: bytes, at_ns: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        headers = dict(
            line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line
        )
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if time.monotonic() < self.ready_s:
            return await plain(writer, 503, {"error": "loading"})
        if self.script.key and headers.get("authorization") != f"bearer {self.script.key}".lower():
            return await plain(writer, 401, {"error": {"message": "no such key"}})
        if method == "GET":
            return await self.got(path, writer)
        asked = json.loads(body)
        for name in self.script.refuses:
            if name in asked:
                return await plain(writer, 400, {"error": {"message": f"unknown field {name}"}})
        if not self.script.ids and isinstance(asked.get("prompt"), list):
            return await plain(writer, 422, {"error": {"message": "prompt must be a text"}})
        return await self.asked(asked, at_ns, path, writer)

    async def got(self, path: str, writer: asyncio.StreamWriter) -> bool:
        if path == "/v1/models":
            return await plain(writer, 200, {"data": [{"id": one} for one in self.script.models]})
        if path == "/version":
            return await plain(writer, 200, {"version": "double/1"})
        if path == "/stamps":
            return await plain(writer, 200, self.stamps)
        return await plain(writer, 404, {"error": {"message": f"no {path}"}})

    async def asked(
        self, asked: dict[str, Any], at_ns: int, path: str, writer: asyncio.StreamWriter
    ) -> bool:
        if asked["max_tokens"] == 2:
            fault = self.script.probe
        else:
            fault = self.script.faults[self.count % len(self.script.faults)]
            self.count += 1
            self.stamps.append(at_ns)
        answering = Answering(self.script, asked, writer, chat="chat" in path)
        async with self.slots or contextlib.nullcontext():
            kept: bool = await getattr(answering, fault)()
            return kept


async def plain(writer: asyncio.StreamWriter, status: int, content: Any, *headers: str) -> bool:
    text = json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(text)}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
    await writer.drain()
    return True


@cache
def piece_of(count: int, reason: str | None, *, chat: bool, ids: bool) -> bytes:
    """A part of an answer as an event."""
    text = " a" * count
    choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
    if chat:
        choice["delta"] = {"content": text}
    else:
        choice["text"] = text
    if ids:
        choice["token_ids"] = [7] * count
    return EVENT % json.dumps({"choices": [choice]}).encode()


class Answering:
    """Ways to answer a request; whether the connection is kept."""

    def __init__(
        self, script: Script, asked: dict[str, Any], writer: asyncio.StreamWriter, *, chat: bool
    ) -> None:
        self.script, self.asked, self.writer, self.chat = script, asked, writer, chat
        self.usage: dict[str, int] | None = {
            "prompt_tokens": len(asked["prompt"]) if "prompt" in asked else 9,
            "completion_tokens": asked["max_tokens"],
        }
        if isinstance(asked.get("prompt"), str):
            self.usage["prompt_tokens"] = len(asked["prompt"].split())

    async def ok(self, *, done: bool = True, stop_at: int | None = None) -> bool:
        await self.begin()
        left, first = self.asked["max_tokens"], True
        while left > 0 and (stop_at is None or left > stop_at):
            await asyncio.sleep(self.script.first_s if first else self.script.gap_s)
            count, first = min(left, self.script.per_chunk), False
            left -= count
            self.piece(count, None if left else "length")
        if stop_at is not None:
            return False
        if self.usage is not None:
            self.event({"choices": [], "usage": self.usage})
        if done:
            self.write(EVENT % b"[DONE]")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def begin(self, kind: str = "text/event-stream") -> None:
        self.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n" % (kind.encode(), CHUNKED)
        )

    def write(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, content: Any) -> None:
        self.write(EVENT % json.dumps(content).encode())

    def piece(self, count: int, reason: str | None) -> None:
        ids = self.script.ids and bool(self.asked.get("return_token_ids"))
        self.write(piece_of(count, reason, chat=self.chat, ids=ids))

    async def half(self) -> None:
        await self.ok(stop_at=self.asked["max_tokens"] // 2)
        await self.writer.drain()

    async def stall(self) -> bool:
        await self.half()
        await asyncio.sleep(3600)
        return False

    async def reset(self) -> bool:
        await self.half()
        self.writer.transport.abort()
        return False

    async def truncated(self) -> bool:
        await self.half()
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def http_429(self) -> bool:
        error = {"error": {"message": "too many requests"}}
        return await plain(self.writer, 429, error, "Retry-After: 1")

    async def http_500(self) -> bool:
        return await plain(self.writer, 500, {"error": {"message": "CUDA out of memory"}})

    async def malformed(self) -> bool:
        await self.begin()
        self.piece(1, None)
        self.write(EVENT % b'{"choices": [{"text": " a"')
        self.writer.write(b"0\r\n\r\n")
        return True

    async def no_choices(self) -> bool:
        await self.begin()
        self.write(EVENT % b'{"id": 3}')
        self.writer.write(b"0\r\n\r\n")
        return True

    async def error_inside(self) -> bool:
        await self.begin()
        self.piece(1, None)
        self.event({"error": {"message": "the engine died", "code": 500}})
        self.writer.write(b"0\r\n\r\n")
        return True

    async def no_usage(self) -> bool:
        self.usage = None
        return await self.ok()

    async def wrong_usage(self) -> bool:
        assert self.usage is not None
        self.usage["completion_tokens"] = 1
        return await self.ok()

    async def comments(self) -> bool:
        await self.begin()
        for left in range(self.asked["max_tokens"] - 1, -1, -1):
            self.write(b": keep-alive\n\n")
            self.piece(1, None if left else "length")
        self.event({"choices": [], "usage": self.usage})
        self.write(EVENT % b"[DONE]")
        self.writer.write(b"0\r\n\r\n")
        return True

    async def no_done(self) -> bool:
        return await self.ok(done=False)

    async def closing(self) -> bool:
        """Whole, and the connection ends with it, as its head says."""
        text = b"".join(
            piece_of(1, None if left else "length", chat=self.chat, ids=False)
            for left in range(self.asked["max_tokens"] - 1, -1, -1)
        )
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        self.writer.write(head + text)
        self.event_plain({"choices": [], "usage": self.usage})
        await self.writer.drain()
        return False

    def event_plain(self, content: Any) -> None:
        self.writer.write(EVENT % json.dumps(content).encode())

    async def crlf(self) -> bool:
        """Line ends of the specification's other kind, split at every byte."""
        await self.begin()
        count = self.asked["max_tokens"]
        events: list[Any] = [{"choices": [{"text": " a", "finish_reason": None}]}] * (count - 1)
        events += [{"choices": [{"text": " a", "finish_reason": "length"}], "usage": self.usage}]
        for byte in b"".join(b"data: %s\r\n\r\n" % json.dumps(one).encode() for one in events):
            self.write(bytes([byte]))
        self.writer.write(b"0\r\n\r\n")
        return True

    async def whole(self) -> bool:
        return await plain(self.writer, 200, {"choices": [{"text": "a"}], "usage": self.usage})

    async def exit(self) -> bool:
        os._exit(3)


@contextmanager
def server_double(**script: Any) -> Iterator[str]:
    """A running double; its base URL."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), json.dumps(script)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def stamps_of(base_url: str) -> list[int]:
    """When requests arrived, by the double's own clock, which is this machine's."""
    with urlopen(base_url.removesuffix("/v1") + "/stamps", timeout=10) as answer:  # noqa: S310
        stamps: list[int] = json.load(answer)
        return stamps


async def main(script: Script, port: int) -> None:
    double = Server(script)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: asyncio.StreamReaderProtocol(
            StampingReader(loop=loop), double.connected, loop=loop
        ),
        "127.0.0.1",
        port,
        backlog=4096,
    )
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - told to who started it
    await server.serve_forever()


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # clients that leave are part of it
    found = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    told = Script(**found)
    if told.ahead:
        from pytest_llem.engines.openai.sender import hurry

        gc.disable()
        hurry()
    asyncio.run(main(told, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
