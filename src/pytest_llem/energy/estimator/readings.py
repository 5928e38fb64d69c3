"""The part of a trace around a window, as plain columns."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.energy.sampling.trace import UNPARTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.sampling.trace import Trace


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings in order, one column each; a missing value is NaN."""

    before_ns: Sequence[int]
    after_ns: Sequence[int]
    energy_j: Sequence[float]
    power_w: Sequence[float]
    between_ns: Sequence[int]
    """Where the energy's call ended and the power's began; ``UNPARTED`` where nobody knows."""

    def __len__(self) -> int:
        return len(self.after_ns)

    def part(self, first: int, last: int) -> Readings:
        """The readings numbered from *first* to before *last*."""
        cut = slice(first, last)
        return Readings(
            self.before_ns[cut],
            self.after_ns[cut],
            self.energy_j[cut],
            self.power_w[cut],
            self.between_ns[cut],
        )

    def with_energy(self) -> Readings:
        """Those that gave an energy, from before to after the call that gave it."""
        parted = zip(self.between_ns, self.after_ns, strict=True)
        after_ns = [after if between == UNPARTED else between for between, after in parted]
        return _known(replace(self, after_ns=after_ns), self.energy_j)

    def with_power(self) -> Readings:
        """Those that gave a power, from before to after the call that gave it."""
        parted = zip(self.between_ns, self.before_ns, strict=True)
        before_ns = [before if between == UNPARTED else between for between, before in parted]
        return _known(replace(self, before_ns=before_ns), self.power_w)

    def widest_gap_s(self, start_ns: int, end_ns: int) -> float:
        """Longest time without a reading between two instants; endless if there is none."""
        first = max(bisect_right(self.after_ns, start_ns) - 1, 0)
        last = bisect_left(self.before_ns, end_ns) + 1
        inside = list(zip(self.before_ns[first:last], self.after_ns[first:last], strict=True))
        if not inside or inside[0][0] > start_ns or inside[-1][1] < end_ns:
            return math.inf
        return max((b[0] - a[1] for a, b in pairwise(inside)), default=0) / 1e9


def _known(readings: Readings, values: Sequence[float]) -> Readings:
    """Those of the readings for which there is a value."""
    known = [i for i, value in enumerate(values) if not math.isnan(value)]
    return Readings(
        [readings.before_ns[i] for i in known],
        [readings.after_ns[i] for i in known],
        [readings.energy_j[i] for i in known],
        [readings.power_w[i] for i in known],
        [readings.between_ns[i] for i in known],
    )


def readings_between(trace: Trace, start_ns: int, end_ns: int) -> Readings:
    """The readings of a trace that lie wholly between two instants."""
    count = len(trace)
    first = bisect_left(trace.before_ns, start_ns, 0, count)
    last = bisect_right(trace.after_ns, end_ns, 0, count)
    columns = Readings(
        trace.before_ns, trace.after_ns, trace.energy_j, trace.power_w, trace.between_ns
    )
    return columns.part(first, last)
