"""A power reading at the instant at which it was refreshed."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A power reading and the instant at which it was refreshed."""

    time_ns: float
    power_w: float
    half_ns: float = 0.0
    """The instant is known to so much either way."""
