"""What was read, each at its instant: power at its refresh, and a counter where it is known."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A power reading and the instant at which it was refreshed."""

    time_ns: float
    power_w: float
    half_ns: float = 0.0
    """The instant is known to so much either way."""


Node = tuple[float, float]
"""An instant in seconds at which a counter is known, and the energy there in joules."""
