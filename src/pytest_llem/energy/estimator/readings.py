"""The part of a trace around a window, as plain columns."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

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

    def __len__(self) -> int:
        return len(self.after_ns)

    def part(self, first: int, last: int) -> Readings:
        """The readings numbered from *first* to before *last*."""
        cut = slice(first, last)
        return Readings(
            self.before_ns[cut], self.after_ns[cut], self.energy_j[cut], self.power_w[cut]
        )

    def with_energy(self) -> Readings:
        """Those that gave an energy."""
        return self._where(self.energy_j)

    def with_power(self) -> Readings:
        """Those that gave a power."""
        return self._where(self.power_w)

    def widest_gap_s(self, start_ns: int, end_ns: int) -> float:
        """Longest time without a reading between two instants; endless if there is none."""
        first = max(bisect_right(self.after_ns, start_ns) - 1, 0)
        last = bisect_left(self.before_ns, end_ns) + 1
        inside = list(zip(self.before_ns[first:last], self.after_ns[first:last], strict=True))
        if not inside or inside[0][0] > start_ns or inside[-1][1] < end_ns:
            return math.inf
        return max((b[0] - a[1] for a, b in pairwise(inside)), default=0) / 1e9

    def _where(self, values: Sequence[float]) -> Readings:
        known = [i for i, value in enumerate(values) if not math.isnan(value)]
        return Readings(
            [self.before_ns[i] for i in known],
            [self.after_ns[i] for i in known],
            [self.energy_j[i] for i in known],
            [self.power_w[i] for i in known],
        )


def readings_between(trace: Trace, start_ns: int, end_ns: int) -> Readings:
    """The readings of a trace that lie wholly between two instants."""
    count = len(trace)
    first = bisect_left(trace.before_ns, start_ns, 0, count)
    last = bisect_right(trace.after_ns, end_ns, 0, count)
    cut = slice(first, last)
    return Readings(
        trace.before_ns[cut], trace.after_ns[cut], trace.energy_j[cut], trace.power_w[cut]
    )
