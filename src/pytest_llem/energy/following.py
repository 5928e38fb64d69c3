"""The course of a device's energy, kept up while its trace grows."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from pytest_llem.energy.course import Course, course_of

if TYPE_CHECKING:
    from pytest_llem.energy.trace import Trace

MARGIN_NS = 500_000_000
"""So much before what is known is read again, to see how it goes on from there."""
UNSURE_NS = 250_000_000
"""What was read so lately may be read otherwise once more is known: a leap that comes back."""


class Following:
    """One device from an instant on; each look costs what was read since the one before."""

    def __init__(self, trace: Trace, start_ns: int) -> None:
        """Nothing is known yet.

        Args:
            trace: what is read of the device; it may go on growing.
            start_ns: from when on its course is wanted.
        """
        self._trace, self._start_ns = trace, start_ns
        self.course = Course([], [])
        """What is known by now; empty while nothing is."""

    def look(self, now_ns: int) -> None:
        """Take what was read until now into account."""
        times_ns, energies_j = self.course
        known_ns = times_ns[-1] if times_ns else self._start_ns
        fresh = course_of(self._trace, math.floor(known_ns) - MARGIN_NS, now_ns)
        first = bisect_right(fresh.times_ns, known_ns) if times_ns else 0
        last = bisect_right(fresh.times_ns, now_ns - UNSURE_NS)
        if first >= last:
            return
        if not first and times_ns:  # a gap: what was used meanwhile is unknown
            times_ns.clear()
            energies_j.clear()
        base_j = energies_j[-1] - fresh.energy_j(known_ns) if energies_j else 0.0
        times_ns += fresh.times_ns[first:last]
        energies_j += [value + base_j for value in fresh.energies_j[first:last]]
