"""Requests that leave at their instants, sent by a process that does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.engines.openai.sender import CLOSE, OPEN, ORDER, SEND, SENT
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from pytest_llem.engines.openai.connection import Connection

PROGRAM = Path(__file__).with_name("sender.py")
LEAVE_S = 5.0
"""How long the process may take to end."""
READ_BYTES = 1 << 16


class Departures:
    """Hands requests to that process ahead of time; belongs to one event loop.

    Connections are known to both processes: the other one writes, this one reads.
    """

    def __init__(self) -> None:
        """Has to be made within the event loop."""
        self._loop = asyncio.get_running_loop()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a program of ours
                [sys.executable, "-I", "-S", str(PROGRAM)],
                stdin=theirs.fileno(),
                start_new_session=True,
            )
        self._socket.setblocking(False)
        self._unsaid: deque[tuple[memoryview, list[int]]] = deque()
        self._rest = b""
        self._known: set[int] = set()
        self._leaving: dict[int, asyncio.Future[int]] = {}
        self._loop.add_reader(self._socket, self._told)

    def send(self, connection: Connection, due_ns: int, data: bytes) -> asyncio.Future[int]:
        """Send *data* at an instant; comes to when it was handed to the kernel.

        The connection has to be told when it is closed (:meth:`closed`).
        """
        number = connection.number
        if number not in self._known:
            self._known.add(number)
            self._say(OPEN, number, fds=[connection.fileno()])
        sent = self._leaving[number] = self._loop.create_future()
        self._say(SEND, number, due_ns, data)
        return sent

    def closed(self, number: int) -> None:
        """Forget a connection."""
        if number in self._known:
            self._known.discard(number)
            self._say(CLOSE, number)

    def close(self) -> None:
        """End the process."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._give_up()

    def _say(
        self,
        what: int,
        number: int,
        due_ns: int = 0,
        data: bytes = b"",
        fds: list[int] | None = None,
    ) -> None:
        order = ORDER.pack(what, number, due_ns, len(data)) + data
        self._unsaid.append((memoryview(order), fds or []))
        if len(self._unsaid) == 1:
            self._go_on()

    def _go_on(self) -> None:
        """Say what there is to say, as far as the other process takes it."""
        while self._unsaid:
            data, fds = self._unsaid[0]
            try:
                said = (
                    socket.send_fds(self._socket, [data], fds) if fds else self._socket.send(data)
                )
            except BlockingIOError:
                said = 0
            except OSError:
                self._unsaid.clear()
                self._give_up()
                return
            if said < len(data):
                self._unsaid[0] = data[said:], fds if not said else []
                self._loop.add_writer(self._socket, self._go_on)
                return
            self._unsaid.popleft()
        with contextlib.suppress(OSError):
            self._loop.remove_writer(self._socket)

    def _told(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._socket)
            self._give_up()
            return
        data = self._rest + data
        whole = len(data) - len(data) % SENT.size
        for number, at_ns in SENT.iter_unpack(data[:whole]):
            sent = self._leaving.pop(number, None)
            if sent is not None and not sent.done():
                sent.set_result(at_ns)
        self._rest = data[whole:]

    def _give_up(self) -> None:
        for sent in self._leaving.values():
            if not sent.done():
                sent.set_exception(EngineError("the process that sends requests has ended."))
        self._leaving.clear()
