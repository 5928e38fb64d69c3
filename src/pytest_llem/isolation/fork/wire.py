"""Requests to a fork server and its answers: JSON lines that may carry open files.

=============  ==================================================  ==========================
request        fields, files                                       answer
=============  ==================================================  ==========================
``host``       ``file``, ``workerinput``, ``experiment``;          ``forked``, ``pid``, or
               the host's own wire                                 ``refused``, ``reason``
``run``        ``environment``, ``directory``, ``token``,          the same, and ``ended``,
               ``experiment``; the control channel, standard       ``pid``, ``status`` once it
               input, output and error                             has ended
=============  ==================================================  ==========================

A server and each of its hosts first say ``ready``, or ``refused``.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from typing import Any

from pytest_llem.errors import IsolationError

CHUNK = 1 << 16
MOST_FILES = 8


def readable(descriptor: int, timeout_s: float | None) -> bool:
    """Whether something can be read within so long; knows descriptors beyond 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


class WireClosedError(IsolationError):
    """The other side is gone."""


class Wire:
    """One end of a socket pair; not for several threads at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._files: list[int] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, files: tuple[int, ...] = (), **fields: Any) -> None:
        """Send a message, and *files* with it.

        Raises:
            WireClosedError: the other side is gone.
        """
        line = json.dumps({"kind": kind, **fields}, default=repr).encode() + b"\n"
        try:
            if files:
                sent = socket.send_fds(self._socket, [line], files)
                line = line[sent:]
            self._socket.sendall(line)
        except OSError as error:
            raise WireClosedError(f"the fork server is gone: {error}") from error

    def receive(self, timeout_s: float | None) -> tuple[dict[str, Any], list[int]] | None:
        """The next message and the files that came with it; ``None`` on time-out.

        Raises:
            WireClosedError: the other side is gone.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            left_s = None if until is None else max(0.0, until - time.monotonic())
            if not readable(self._socket.fileno(), left_s):
                return None
            self._fill()
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = bytearray(rest)
        files, self._files = self._files, []
        return json.loads(line), files

    def close(self) -> None:
        self._socket.close()
        for file in self._files:
            os.close(file)

    def _fill(self) -> None:
        try:
            chunk, files, _, _ = socket.recv_fds(self._socket, CHUNK, MOST_FILES)
        except ConnectionError:
            chunk, files = b"", []
        self._files.extend(files)
        if not chunk:
            raise WireClosedError("the fork server is gone")
        self._buffer += chunk
