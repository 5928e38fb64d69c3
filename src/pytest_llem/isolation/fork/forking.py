"""Serving requests to fork: whether it is safe, the fork itself, and how forks ended."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import select
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.child import die_with_parent
from pytest_llem.isolation.fork.fresh import SEEDING, show_token
from pytest_llem.isolation.fork.safety import unsafe_to_fork
from pytest_llem.isolation.fork.wire import WireClosedError
from pytest_llem.isolation.process_tree import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.fork.wire import Wire

LOOK_AGAIN_S = 0.005
"""How often children are looked after where the kernel does not tell (Linux before 5.3)."""
PATIENCE_S = 5.0


class RefusedError(IsolationError):
    """A fork would not be as a fresh process is."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a fork is to become."""

    fields: dict[str, Any]
    files: list[int]


@dataclass(slots=True)
class Forked:
    """A running fork of this process."""

    token: str | None
    """What its descendants bear; ``None`` for a host, which looks after its own."""
    descriptor: int | None
    """Readable once it has ended (``pidfd_open(2)``)."""


@dataclass(slots=True)
class Forking:
    """Forks this process on request."""

    wire: Wire
    prepare: Callable[[dict[str, Any]], None]
    """Imports what a request's experiment will need."""
    parent: int | None = None
    """Descriptor that tells of the end of the process which asks (``pidfd_open(2)``), as a fork
    of that may hold the other end of the wire; ``None`` where the kernel has none."""
    _running: dict[int, Forked] = field(default_factory=dict)

    def serve(self) -> Request:
        """Answer requests until the other side is gone, and end with it.

        Returns:
            What this process is to become: only ever in a forked process.
        """
        gc.collect()
        try:
            self.wire.send("ready")
            while True:
                request = self._next()
                if request is not None and self._fork(request):
                    return request
        except WireClosedError:
            self._end()

    def _next(self) -> Request | None:
        descriptors = [one.descriptor for one in self._running.values()]
        told = [descriptor for descriptor in descriptors if descriptor is not None]
        patience_s = None if len(told) == len(descriptors) else LOOK_AGAIN_S
        poll = select.poll()  # unlike select.select, knows descriptors beyond 1023
        own = [] if self.parent is None else [self.parent]
        for descriptor in (self.wire.fileno(), *own, *told):
            poll.register(descriptor, select.POLLIN)
        found = poll.poll(None if patience_s is None else patience_s * 1000)
        ready = [descriptor for descriptor, _ in found]
        for pid in list(self._running):
            self._reap(pid)
        if self.parent in ready:
            raise WireClosedError("the process that asks is gone")
        message = self.wire.receive(0.0) if self.wire.fileno() in ready else None
        return None if message is None else Request(*message)

    def _reap(self, pid: int) -> None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended == 0:
            return
        descriptor = self._running.pop(pid).descriptor
        if descriptor is not None:
            os.close(descriptor)
        self.wire.send("ended", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _fork(self, request: Request) -> bool:
        """Fork for *request* and answer it; whether this is the fork."""
        server = os.getpid()
        try:
            self.prepare(request.fields)
            pid = _fork_if_safe(request.fields.get("token"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to end a run
            said = str(error) if isinstance(error, IsolationError) else repr(error)
            self.wire.send("refused", reason=said)
        else:
            if pid == 0:
                self._become_child(server)
                return True
            self._running[pid] = Forked(request.fields.get("token"), process_descriptor(pid))
            self.wire.send("forked", pid=pid)
        for file in request.files:
            os.close(file)
        return False

    def _become_child(self, server: int) -> None:
        die_with_parent()
        if os.getppid() != server:  # it died before the kernel was told
            os._exit(1)
        self.wire.close()
        descriptors = [running.descriptor for running in self._running.values()]
        for descriptor in (self.parent, *descriptors):
            if descriptor is not None:
                os.close(descriptor)

    def _end(self) -> NoReturn:
        """End all forks, with whatever they started, and this process."""
        for pid, running in self._running.items():
            if running.token is not None:
                ProcessTree(pid, running.token).kill()
        until = time.monotonic() + PATIENCE_S
        for pid in self._running:
            with contextlib.suppress(ChildProcessError):
                while time.monotonic() < until and os.waitpid(pid, os.WNOHANG)[0] == 0:
                    time.sleep(LOOK_AGAIN_S)
        os._exit(0)


def _fork_if_safe(token: str | None) -> int:
    reason = unsafe_to_fork()
    if reason is not None:
        raise RefusedError(reason)
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # a collection in the fork would copy every page it looks at
    seeded = random.getstate()
    own = show_token(token) if token is not None else None
    pid = -1
    try:
        pid = os.fork()
    finally:
        if own is not None and pid != 0:
            show_token(own)
    if pid == 0 and SEEDING.chosen:
        random.setstate(seeded)
    return pid


def process_descriptor(pid: int) -> int | None:
    """Readable once that process has ended; ``None`` where the kernel has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
