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
``report``          ``data``: a serialized test report              none
``warning``         ``data``: a recorded warning                    none
``uncollected``     ``message``: why an item could not be run       none
``interrupted``     ``reason``, ``exits``, ``status``               none
``outcome``         ``outcome``, ``message``: a bare job's end      none
==================  ==============================================  =================
"""

from __future__ import annotations

import json
import select
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import IsolationError

if TYPE_CHECKING:
    import socket

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

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._pending: list[Message] = []
        self.garbage = 0
        """Lines that were no messages, and were passed over."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message, waiting while the other side is slow.

        Raises:
            ChannelClosedError: the other side is gone.
        """
        line = json.dumps({"kind": kind, **fields}, default=repr).encode() + b"\n"
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
        ready, _, _ = select.select([self._socket], [], [], timeout_s)
        return bool(ready)

    def _fill(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK)
        except ConnectionError:
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
