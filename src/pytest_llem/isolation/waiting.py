"""Waiting for something that can be read, but not for ever."""

from __future__ import annotations

import math
import select
import time


class Patience:
    """How long one goes on waiting."""

    def __init__(self, timeout_s: float | None) -> None:
        """From now on for so many seconds; ``None`` for ever."""
        self._until_s = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        """Seconds that are left, 0 if none are; ``None`` is for ever."""
        return None if self._until_s is None else max(0.0, self._until_s - time.monotonic())


def readable(descriptor: int, timeout_s: float | None) -> bool:
    """Whether something can be read from *descriptor* within *timeout_s*; ``None`` waits for ever.

    Rounded up to whole milliseconds, so that who asks again until a time has come does not spin.
    """
    poll = select.poll()  # unlike select.select, knows descriptors beyond 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))
