"""Reading a device as often as it answers, into the trace that the package keeps too."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.refreshes.placing import Refreshes
from pytest_llem.energy.estimator.refreshes.refresh import observe
from pytest_llem.energy.sampling.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.devices.meter import Device, Meter

SECOND = 1_000_000_000
MS = 1_000_000


def real_sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(slots=True)
class Recorder:
    """Polls one device; the clock and the meter may be simulated ones."""

    meter: Meter
    device: Device
    clock: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = real_sleep

    def new_trace(self) -> Trace:
        trace = Trace(self.device, self.meter.name)
        trace.facts.append(self.meter.facts(self.device))
        return trace

    def record(self, trace: Trace, until_ns: int, gap_ns: int) -> None:
        """Append readings until an instant, *gap_ns* apart beyond what a reading takes."""
        while self.clock() < until_ns:
            trace.append(self.meter.read(self.device))
            if gap_ns:
                self.sleep(gap_ns / SECOND)
        trace.facts.append(self.meter.facts(self.device))

    def record_for(self, trace: Trace, seconds: float, gap_ns: int) -> None:
        self.record(trace, self.clock() + round(seconds * SECOND), gap_ns)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a part of a trace: when it was read, and what it said."""

    before_ns: Sequence[int]
    after_ns: Sequence[int]
    values: Sequence[float]

    def refreshes(self) -> Refreshes:
        """Its changes, placed in time."""
        return Refreshes(observe(self.before_ns, self.after_ns, self.values))


def column(trace: Trace, name: str, start_ns: int = 0, end_ns: int | None = None) -> Column:
    """The column ``energy_j`` or ``power_w`` of the readings between two instants."""
    first = bisect_left(trace.before_ns, start_ns)
    last = len(trace) if end_ns is None else bisect_right(trace.after_ns, end_ns)
    values: Sequence[float] = getattr(trace, name)
    return Column(trace.before_ns[first:last], trace.after_ns[first:last], values[first:last])
