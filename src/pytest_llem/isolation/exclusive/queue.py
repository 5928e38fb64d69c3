"""Who waits for locks, in order: one ticket a waiter.

A ticket is a file that its owner keeps locked; one that is not locked belongs to a process
that is gone. The queue itself is locked while somebody looks at it and takes locks, so that
nobody has to hold one lock while waiting for another: there is no deadlock.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import LockError
from pytest_llem.isolation.exclusive.directory import WAYS_OUT, refused
from pytest_llem.isolation.exclusive.holder import parse_holder
from pytest_llem.isolation.exclusive.lock_file import file_name, holder_of, read_text, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.isolation.exclusive.holder import Holder
    from pytest_llem.isolation.exclusive.lock_file import Lock

QUEUE = "queue"
TICKET = "ticket-"
PATIENCE_S = 10.0
"""The queue is locked for less than a millisecond at a time; after so long something is wrong."""
_LOOK_AGAIN_S = 0.002
JITTER = random.SystemRandom()
"""Leaves the random numbers of tests alone."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the queue."""

    lock: Lock

    @property
    def name(self) -> str:
        return self.lock.path.name

    def give_back(self) -> None:
        """Leave the queue."""
        with suppress(OSError):
            self.lock.path.unlink()
        self.lock.release()


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of one directory."""

    directory: Path

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who looks at the queue and takes locks.

        Raises:
            LockError: somebody has stopped in the middle of this, or the directory is closed to us.
        """
        path = self.directory / file_name(QUEUE)
        until_s = time.monotonic() + PATIENCE_S
        while (lock := try_lock(path)) is None:
            if time.monotonic() > until_s:
                who = holder_of(path)
                raise LockError(
                    f"{path} has been locked for {PATIENCE_S:g} s, which takes less than a "
                    "millisecond otherwise: a process is stopped there"
                    f"{f' ({who.described()})' if who else ''}. Continue or end it. {WAYS_OUT}"
                )
            time.sleep(_LOOK_AGAIN_S * JITTER.uniform(0.5, 1.5))
        try:
            yield
        finally:
            lock.release()

    def join(self, names: frozenset[str], who: Holder) -> Ticket:
        """Take a ticket for locks called *names*; within a turn."""
        number = f"{time.monotonic_ns():020d}-{secrets.token_hex(4)}"
        lock = try_lock(self.directory / f"{TICKET}{number}.lock")
        assert lock is not None  # noqa: S101 - nobody else knows the name
        fields = {"names": sorted(names), "who": who.to_bytes().decode()}
        lock.write(json.dumps(fields).encode())
        return Ticket(lock)

    def ahead(self, names: frozenset[str], ticket: Ticket | None) -> tuple[bool, Holder | None]:
        """Whether somebody waits longer for one of *names*, and who; within a turn.

        Raises:
            LockError: the directory cannot be looked through.
        """
        for name in self._tickets():
            if ticket is not None and name >= ticket.name:
                break
            wanted, who = _said(self.directory / name)
            if wanted & names and not _left(self.directory / name):
                return True, who
        return False, None

    def _tickets(self) -> list[str]:
        """Names of their files, the longest waiting first."""
        try:
            names = os.listdir(self.directory)  # noqa: PTH208 - names are enough
        except OSError as error:
            raise refused(self.directory, error) from error
        return sorted(name for name in names if name.startswith(TICKET))


def _said(path: Path) -> tuple[frozenset[str], Holder | None]:
    try:
        fields = json.loads(read_text(path))
        return frozenset(fields["names"]), parse_holder(fields["who"].encode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset(), None


def _left(path: Path) -> bool:
    """Whether a ticket's owner is gone; the ticket then goes too, if it may be removed."""
    try:
        lock = try_lock(path)
    except LockError:
        return True
    if lock is None:
        return False
    Ticket(lock).give_back()
    return True
