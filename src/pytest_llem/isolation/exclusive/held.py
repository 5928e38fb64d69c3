"""Descriptors of this process that hold locks (``flock(2)``), which no fork may keep."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

HELD: set[int] = set()
"""Closed in every fork at once: a lock is given back when its last descriptor is closed."""
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""What a file system without locks answers."""


def _forget() -> None:
    """In a fork: leave the locks to the parent."""
    for descriptor in HELD:
        with suppress(OSError):
            os.close(descriptor)
    HELD.clear()


os.register_at_fork(after_in_child=_forget)
