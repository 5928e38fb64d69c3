"""One process at a time, while the books of a run are opened again."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pytest_llem.results.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def own_turn(directory: Path) -> Iterator[None]:
    """Hold a lock on *directory*; wait for others that do, which takes them moments.

    Where the file system has no locks, nobody waits.

    Raises:
        StoreError: there is no such directory.
    """
    with explained("read", directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
