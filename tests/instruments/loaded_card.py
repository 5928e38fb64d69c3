"""A simulated card with a load that can be told when to be busy, all in virtual time."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instruments.recordings import SECOND, Sensor, SimulatedMeter, VirtualClock

if TYPE_CHECKING:
    from instruments.curves import Curve
    from pytest_llem.devices.meter import Device


@dataclass
class LoadCurve:
    """The power of a card at rest, and more of it while the load is busy."""

    rest: Curve
    extra_w: float
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _busy_ns: list[int] = field(default_factory=lambda: [0])

    def add(self, start_ns: int, end_ns: int) -> None:
        """Be busy once more, later than before."""
        self._starts.append(start_ns)
        self._ends.append(end_ns)
        self._busy_ns.append(self._busy_ns[-1] + end_ns - start_ns)

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        busy_ns = self._busy_until(end_ns) - self._busy_until(start_ns)
        return self.rest.energy_j(start_ns, end_ns) + self.extra_w * busy_ns / SECOND

    def _busy_until(self, t_ns: int) -> int:
        begun = bisect_right(self._starts, t_ns)
        ahead_ns = max(self._ends[begun - 1] - t_ns, 0) if begun else 0
        return self._busy_ns[begun] - ahead_ns

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        raise NotImplementedError


@dataclass
class VirtualLoad:
    """Bursts that are late and long by a little, as real ones are."""

    curve: LoadCurve
    random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    asked: list[tuple[int, int]] = field(default_factory=list)

    def square(self, start_ns: int, period_ns: float, on_ns: int, count: int) -> None:
        self.asked = []
        for number in range(count):
            begin_ns = start_ns + round(number * period_ns) + self._late_ns()
            self.asked.append((begin_ns, begin_ns + on_ns + self._late_ns()))
        for burst in self.asked:
            self.curve.add(*burst)

    def steady(self, start_ns: int, seconds: float) -> None:
        self.square(start_ns, seconds * SECOND, round(seconds * SECOND), 1)

    def wait(self) -> list[tuple[int, int]]:
        return self.asked

    def _late_ns(self) -> int:
        return round(self.random.expovariate(1 / 100_000))


@dataclass
class LoadedCard:
    """A meter that reads one card, and the load on it."""

    clock: VirtualClock
    meter: SimulatedMeter
    load: VirtualLoad

    @classmethod
    def of(cls, sensor: Sensor, rest: Curve, extra_w: float, seed: int = 0) -> LoadedCard:
        clock = VirtualClock(random=random.Random(seed))  # noqa: S311 - a simulation
        curve = LoadCurve(rest, extra_w)
        return cls(clock, SimulatedMeter(clock, [curve], [sensor], seed), VirtualLoad(curve))

    @property
    def device(self) -> Device:
        return self.meter.discover()[0]
