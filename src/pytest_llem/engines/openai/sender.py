"""Sends requests that were made ready when they are due: a program, in a process of its own.

So nothing delays it: no other thread that has the interpreter, no answers to read, no collection
of garbage. It asks for the system's real-time scheduling, else for a higher priority, and uses
hardly any time: it waits for instants in the kernel and then makes one system call.

Standard input is a Unix socket. What comes has the form of :data:`ORDER`, then so many bytes:
``OPEN`` has a connection's descriptor with it, ``SEND`` the bytes to send on it at an instant of
``time.monotonic_ns``. Each that was sent is told back as :data:`SENT`. It ends with its input.

It is run by its path, knows nothing of the package, and imports little.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import os
import select
import selectors
import socket
import struct
import time

ORDER = struct.Struct("<BIqI")
"""What to do, number of the connection, when, and how many bytes follow."""
SENT = struct.Struct("<Iq")
"""Number of the connection, and when its request was handed to the kernel."""
OPEN, SEND, CLOSE = range(3)
AT_ONCE = 1 << 20
"""Most bytes that are read at once."""
MOST_OPENED = 64
"""Most descriptors that come at once."""


class Sender:
    """Follows the orders that come over one socket."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._rest = bytearray()
        self._opened: list[int] = []
        self._connections: dict[int, socket.socket] = {}
        self._due: list[tuple[int, int, bytes]] = []
        self._unsent: dict[int, tuple[int, memoryview]] = {}
        self._writable = selectors.DefaultSelector()

    def run(self) -> None:
        """Until there are no more orders."""
        orders, writable = self._orders.fileno(), self._writable.fileno()
        while True:
            left_s = self._send_due()
            ready, _, _ = select.select([orders, writable], [], [], left_s)
            if writable in ready:
                for key, _ in self._writable.select(0):
                    self._go_on(key.fd)
            if orders in ready and not self._take():
                return

    def _send_due(self) -> float | None:
        """Send what is due; for how many seconds nothing else will be, or ``None``."""
        while self._due:
            left_ns = self._due[0][0] - time.monotonic_ns()
            if left_ns > 0:
                return left_ns / 1e9
            _, number, data = heapq.heappop(self._due)
            at_ns = time.monotonic_ns()
            self._send(number, memoryview(data))
            self._orders.sendall(SENT.pack(number, at_ns))
        return None

    def _send(self, number: int, data: memoryview) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return
        try:
            sent = connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the connection ended, which who reads from it sees as well
            return
        if sent < len(data):
            self._unsent[connection.fileno()] = number, data[sent:]
            self._writable.register(connection.fileno(), selectors.EVENT_WRITE)

    def _go_on(self, fileno: int) -> None:
        self._writable.unregister(fileno)
        self._send(*self._unsent.pop(fileno))

    def _take(self) -> bool:
        """Take orders; whether there may be more."""
        data, opened, _, _ = socket.recv_fds(self._orders, AT_ONCE, MOST_OPENED)
        self._opened += opened
        self._rest += data
        rest, at = self._rest, 0
        while len(rest) - at >= ORDER.size:
            what, number, due_ns, length = ORDER.unpack_from(rest, at)
            end = at + ORDER.size + length
            if len(rest) < end:
                break
            self._follow(what, number, due_ns, bytes(rest[at + ORDER.size : end]))
            at = end
        del rest[:at]
        return bool(data)

    def _follow(self, what: int, number: int, due_ns: int, data: bytes) -> None:
        if what == OPEN:
            self._connections[number] = socket.socket(fileno=self._opened.pop(0))
        elif what == SEND:
            heapq.heappush(self._due, (due_ns, number, data))
        elif (connection := self._connections.pop(number, None)) is not None:
            if self._unsent.pop(connection.fileno(), None):
                self._writable.unregister(connection.fileno())
            connection.close()


def hurry() -> None:
    """Run before others where the system grants it, which it does to root and by rlimits."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -10)


if __name__ == "__main__":
    gc.disable()
    hurry()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        Sender(socket.socket(fileno=0)).run()
