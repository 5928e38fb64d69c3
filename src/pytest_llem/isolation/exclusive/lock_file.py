"""One lock: a file that is never removed, locked with ``flock(2)``.

The kernel releases the lock when the last descriptor of the opened file is closed, thus
also when its holder is killed. No child may keep one: descriptors are closed by ``exec``,
and in a fork at once.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import LockError
from pytest_llem.isolation.exclusive.directory import WAYS_OUT, refused
from pytest_llem.isolation.exclusive.held import HELD, NO_LOCKS
from pytest_llem.isolation.exclusive.holder import LONGEST_BYTES, parse_holder

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.isolation.exclusive.holder import Holder

EVERYBODYS = 0o666
SETTLING_S = (0.0, 0.01, 0.05, 0.2)
"""Waits until a file that another user has just made is open to all."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds."""

    path: Path
    descriptor: int

    def write(self, text: bytes) -> None:
        """Say in the file who holds it; that it cannot be said is no reason to stop."""
        with suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, text, 0)

    def release(self) -> None:
        """Give it back, whoever else may have inherited the descriptor."""
        if self.descriptor not in HELD:
            return
        HELD.discard(self.descriptor)
        with suppress(OSError):
            os.ftruncate(self.descriptor, 0)
        with suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)


def try_lock(path: Path) -> Lock | None:
    """The lock of *path*, or ``None`` if another process holds it.

    Raises:
        LockError: the file cannot be opened, or its file system has no locks.
    """
    while True:
        descriptor = _opened(path)
        try:
            taken = _flocked(descriptor, path)
            removed = taken and not _is_still(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if taken and not removed:
            HELD.add(descriptor)
            return Lock(path, descriptor)
        os.close(descriptor)
        if not taken:
            return None


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether others would lock the same file; somebody may have tidied it away."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def holder_of(path: Path) -> Holder | None:
    """The living process that the file names; ``None`` if nobody can be named."""
    holder = parse_holder(read_text(path))
    return holder if holder is not None and holder.is_alive() else None


def read_text(path: Path) -> bytes:
    """The beginning of a lock's file; empty if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, LONGEST_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def file_name(name: str) -> str:
    """File name of the lock called *name*."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:200]}.lock"


def _flocked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise LockError(
                f"the file system of {path.parent} has no locks (flock: {error.strerror}). "
                f"{WAYS_OUT}"
            ) from error
        raise LockError(f"{path} cannot be locked: {error.strerror}. {WAYS_OUT}") from error
    return True


def _opened(path: Path) -> int:
    problem: OSError | None = None
    for wait_s in SETTLING_S:
        if wait_s:
            time.sleep(wait_s)
        try:
            return _open_or_make(path)
        except PermissionError as error:
            problem = error
        except OSError as error:
            raise refused(path, error) from error
    assert problem is not None  # noqa: S101 - the loop ran
    raise refused(path, problem) from problem


def _open_or_make(path: Path) -> int:
    """Open the file, or make it: never ``O_CREAT`` on one that is there.

    Linux refuses that to others in directories like this one (``fs.protected_regular``),
    whatever the file's mode.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        with suppress(FileNotFoundError):
            return _regular(os.open(path, flags), path)
        with suppress(FileExistsError):
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, EVERYBODYS)
            os.fchmod(descriptor, EVERYBODYS)  # whatever the umask
            return descriptor


def _regular(descriptor: int, path: Path) -> int:
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise LockError(f"{path} is no file of its own, so it is no lock. Remove it. {WAYS_OUT}")
