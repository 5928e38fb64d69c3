"""A child in a container, held by the leash of its first process."""

from __future__ import annotations

import contextlib
import math
import select
import subprocess
import time
from typing import TYPE_CHECKING

from pytest_llem.isolation.container.init import INTERRUPT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pytest_llem.isolation.process_tree import ProcessTree

REAP_S = 10.0
KILLED_BY = 128
"""Shells and runtimes tell of an end by signal N as status 128 + N."""


class ContainerProcess:
    """A child started by ``ContainerLauncher``."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        leash: socket.socket,
        tree: ProcessTree,
        remove: Callable[[], None],
    ) -> None:
        self._popen = popen
        self._leash = leash
        self._remove = remove
        self._said = b""
        self._status: int | None = None
        self.tree = tree

    def wait(self, timeout_s: float | None) -> int | None:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while self._status is None:
            left_s = None if until is None else max(0.0, until - time.monotonic())
            if not readable(self._leash, left_s):
                return None
            self._listen()
        return self._status

    def _listen(self) -> None:
        try:
            heard = self._leash.recv(64)
        except OSError:
            heard = b""
        self._said += heard
        if b"\n" in self._said:
            self._status = int(self._said)
        elif not heard:  # the container as a whole was ended
            self._status = _as_exit_code(self._end_of_command())

    def _end_of_command(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._popen.wait(REAP_S)
        return None

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):
            self._leash.sendall(INTERRUPT)

    def end(self) -> None:
        self._leash.close()
        if self._status is None:
            self._status = -9
        self.tree.kill()
        if self._end_of_command() is None:
            self._remove()
            self._popen.kill()
            self._end_of_command()


def readable(sock: socket.socket, timeout_s: float | None) -> bool:
    """Whether something arrives at *sock* within *timeout_s*; ``None`` waits for ever."""
    poll = select.poll()  # unlike select.select, knows descriptors beyond 1023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))


def _as_exit_code(status: int | None) -> int:
    """*status* of the runtime's command as ``subprocess`` tells it; killed if it is unknown."""
    if status is None:
        return -9
    return KILLED_BY - status if status > KILLED_BY else status
