"""What runs while devices are watched for having settled."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND_NS = 1_000_000_000
SETTLING_S = 30.0
"""Power and temperature of a card settle with time constants of up to this, the heat sink's: a
slope of now goes on for no longer, however long the windows are."""
WINDOWS = 5
"""A pass that is longer than a window is a window; so many of them are looked ahead."""
RECENT = 16
"""Passes by which it is told how long one takes."""


class Load(NamedTuple):
    """Passes, and for how long they will be measured."""

    start_ns: int
    ends_ns: Sequence[int]
    """When passes ended, in order; not necessarily all of them."""
    lasting_s: float
    """How long the windows will take at least, in seconds."""

    def until(self, time_ns: int) -> Load:
        """What had happened by an instant."""
        return self._replace(ends_ns=self.ends_ns[: bisect_right(self.ends_ns, time_ns)])

    def horizon_s(self) -> float:
        """Over what time a drift counts: the windows', but no longer than it can go on."""
        gaps = [b - a for a, b in pairwise(self.ends_ns[-RECENT:])]
        passes_s = WINDOWS * median(gaps) / SECOND_NS if gaps else 0.0
        return min(max(self.lasting_s, passes_s), SETTLING_S)
