"""The control channel: one JSON object a line over a socket, in both directions.

Messages of the child, and what the supervisor answers:

==================  ==============================================  =================
kind                fields                                          answer
==================  ==============================================  =================
``hello``           ``version``, ``pid``                            ``job``
``phase``           ``phase``, ``index``, ``count``                 none
``begin``           none: a measurement begins                      none
``await``           ``question``, ``condition``, ``since_ns``,      ``ready``, once
                    ``least_s``                                     it holds
``passed``          ``end_ns``: a pass of a warm-up ended           none
``measured``        ``marks``                                       ``measurement``
``engine``          ``description``                                 none
``workload``        ``description``                                 none
``recorded``        ``metric``: a figure of the test's own          none
``report``          ``data``: a serialized test report              none
``warning``         ``data``: a recorded warning                    none
``uncollected``     ``message``: why an item could not be run       none
``interrupted``     ``reason``, ``exits``, ``status``               none
``outcome``         ``outcome``, ``message``: a bare job's end      none
==================  ==============================================  =================
"""

from __future__ import annotations

import json
import math
import select
import socket
from dataclasses import dataclass, field
from typing import Any

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.waiting import Patience

LINE_LIMIT = 256 * 1024 * 1024
CHUNK = 1 << 16


class ChannelClosedError(IsolationError):
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``fields`` holds everything but its kind."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)


class Channel:
    """One end of the control channel. Not for use by several threads at once."""

    def __init__(self, sock: socket.socket, *, queues: bool = False) -> None:
        """Speak over *sock*.

        With *queues*, sending never waits: what the other side does not take yet goes
        out while receiving, and receiving tells when it is gone.
        """
        self._socket = sock
        self._queues = queues
        self._outgoing = bytearray()
        self._poll = select.poll()  # unlike select.select, knows descriptors beyond 1023
        self._poll.register(sock, select.POLLIN)
        self._buffer = bytearray()
        self._pending: list[Message] = []
        self.garbage = 0
        """Lines that were no messages, and were passed over."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message, waiting while the other side is slow unless the channel queues.

        Raises:
            ChannelClosedError: the other side is gone; never if the channel queues.
        """
        line = json.dumps({"kind": kind, **fields}, default=repr).encode() + b"\n"
        if self._queues:
            self._outgoing += line
            self._flush()
            return
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise ChannelClosedError(f"the control channel is closed: {error}") from error

    def receive(self, timeout_s: float | None) -> Message | None:
        """The next message, or ``None`` if there is none within *timeout_s*.

        Raises:
            ChannelClosedError: the other side is gone and all it sent was received.
        """
        if not self._pending and self._readable(timeout_s):
            self._fill()
        return self._pending.pop(0) if self._pending else None

    def close(self) -> None:
        self._socket.close()

    def _readable(self, timeout_s: float | None) -> bool:
        """Wait until there is something to receive; send what waits meanwhile."""
        patience = Patience(timeout_s)
        while True:
            events = self._wait(patience.left_s())
            if events & ~select.POLLOUT:
                return True
            if not events & select.POLLOUT:
                return False
            self._flush()

    def _wait(self, timeout_s: float | None) -> int:
        if self._outgoing:
            self._poll.modify(self._socket, select.POLLIN | select.POLLOUT)
        ready = self._poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))
        if self._outgoing:
            self._poll.modify(self._socket, select.POLLIN)
        return ready[0][1] if ready else 0

    def _flush(self) -> None:
        """Send what the other side takes now; drop it all if there is no other side."""
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                del self._outgoing[:sent]
        except BlockingIOError:
            if len(self._outgoing) > LINE_LIMIT:
                self._outgoing.clear()
        except OSError:
            self._outgoing.clear()

    def _fill(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK)
        except OSError:
            chunk = b""
        if not chunk:
            raise ChannelClosedError("the control channel is closed")
        self._buffer += chunk
        if len(self._buffer) > LINE_LIMIT:
            self._buffer.clear()
            self.garbage += 1
        if b"\n" in chunk:
            *lines, rest = self._buffer.split(b"\n")
            self._buffer = bytearray(rest)
            self._pending.extend(filter(None, map(self._parse, lines)))

    def _parse(self, line: bytearray) -> Message | None:
        try:
            fields = json.loads(line)
            return Message(fields.pop("kind"), fields)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            self.garbage += 1
            return None
