"""The course of a device's energy, kept up while its trace grows."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from pytest_llem.energy.warm_up.course import Course, course_of

if TYPE_CHECKING:
    from pytest_llem.energy.sampling.trace import Trace

UNSURE_NS = 1_000_000_000
"""What was read so lately is read again at the next look: later readings tell where a refresh
was, and whether a leap comes back."""
MARGIN_NS = 400_000_000
"""So much before that is read again too, to see how it goes on from there."""
SAME_NS = 10_000_000
"""Instants that lie closer are one and the same refresh, placed again by more readings."""

LONGEST_NS = 10_000_000_000
"""No more than this is read at once, also of a counter that never moves."""
STEP_NS = LONGEST_NS // 2
"""What was not looked at for longer is read in such steps."""


class Following:
    """One device from an instant on; a look costs no more the longer it is followed."""

    def __init__(self, trace: Trace, start_ns: int) -> None:
        """Nothing is known yet.

        Args:
            trace: what is read of the device; it may go on growing.
            start_ns: from when on its course is wanted.
        """
        self._trace, self._start_ns = trace, start_ns
        self.course = Course([], [])
        """What is known by now; empty while nothing is."""
        self.looked_ns = 0
        """Until when was looked."""

    def look(self, now_ns: int) -> None:
        """Take what was read until now into account."""
        since_ns = max(self.looked_ns, self._start_ns)
        for until_ns in (*range(since_ns + STEP_NS, now_ns, STEP_NS), now_ns):
            self._take(until_ns)
        self.looked_ns = now_ns

    def _take(self, now_ns: int) -> None:
        times_ns, energies_j = self.course
        sure = bisect_right(times_ns, now_ns - UNSURE_NS)
        known_ns = times_ns[sure - 1] if sure else self._start_ns
        first_ns = max(math.floor(known_ns) - MARGIN_NS, now_ns - LONGEST_NS)
        fresh = course_of(self._trace, first_ns, now_ns)
        if not fresh.times_ns:
            return
        first = bisect_right(fresh.times_ns, known_ns + SAME_NS) if sure else 0
        base_j = energies_j[sure - 1] - fresh.energy_j(known_ns) if sure else 0.0
        times_ns[sure:] = fresh.times_ns[first:]
        energies_j[sure:] = [value + base_j for value in fresh.energies_j[first:]]
