"""One device that a sampler reads: its trace, its schedule, and what they show so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.energy.sampling.poll import PollSchedule
from pytest_llem.energy.sampling.trace import Trace

if TYPE_CHECKING:
    from pytest_llem.devices.meter import Device, Meter

REFRESHES_AFTER = 2
"""Refreshes that the estimator wants to see beyond a window's end."""
POWER_AFTER_NS = 300_000_000
"""How far readings have to reach beyond a window's end where only power is read."""
RECENT_NS = 1_000_000_000
"""Over how long power is told from energy."""


class Station:
    """One device with its trace and its schedule."""

    def __init__(self, device: Device, meter: Meter) -> None:
        self.trace = Trace(device, meter.name)
        self.schedule = PollSchedule()
        self.due_ns = 0
        self.facts_due_ns = 0
        self.facts_read_ns = 0
        """When slow values were last asked for."""
        self.lost = False
        self.asked_ns: int | None = None
        """When the call under way began; ``None`` between calls."""

    def settled_after(self, time_ns: int) -> bool:
        """Whether enough was read to tell the energy up to *time_ns*, and what disturbed it."""
        trace, count = self.trace, len(self.trace)
        if self.lost:
            return True
        if self.facts_read_ns <= time_ns:
            return False
        if not count or trace.before_ns[count - 1] <= time_ns:
            return False
        if math.isnan(trace.energy_j[count - 1]):
            return trace.before_ns[count - 1] > time_ns + POWER_AFTER_NS
        wanted = 1 if self.schedule.continuous else REFRESHES_AFTER
        return self._refreshes_after(time_ns, count) >= wanted

    def refreshed_after(self, time_ns: int) -> bool:
        """Whether the counter was seen to refresh since *time_ns*, or does not refresh at all."""
        trace, count = self.trace, len(self.trace)
        if self.lost or self.schedule.continuous:
            return True
        if not count or trace.before_ns[count - 1] <= time_ns:
            return False
        return math.isnan(trace.energy_j[count - 1]) or self._refreshes_after(time_ns, count) > 0

    def _refreshes_after(self, time_ns: int, count: int) -> int:
        trace, number, seen = self.trace, count - 1, 0
        while number > 0 and trace.before_ns[number - 1] > time_ns:
            seen += trace.energy_j[number] != trace.energy_j[number - 1]
            number -= 1
        return seen

    def power_w(self) -> float | None:
        """Latest power, or the mean of the last second where only energy is known."""
        trace, last = self.trace, len(self.trace) - 1
        if last < 0:
            return None
        if not math.isnan(trace.power_w[last]):
            return trace.power_w[last]
        first = last
        while first > 0 and trace.before_ns[last] - trace.before_ns[first] < RECENT_NS:
            first -= 1
        elapsed_s = (trace.before_ns[last] - trace.before_ns[first]) / 1e9
        used_j = trace.energy_j[last] - trace.energy_j[first]
        return None if not elapsed_s or math.isnan(used_j) else used_j / elapsed_s
