"""Waiting for something that can be read."""

from __future__ import annotations

import math
import select


def readable(descriptor: int, timeout_s: float | None) -> bool:
    """Whether something can be read from *descriptor* within *timeout_s*; ``None`` waits for ever.

    Rounded up to whole milliseconds, so that who asks again until a time has come does not spin.
    """
    poll = select.poll()  # unlike select.select, knows descriptors beyond 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))
