"""A simulated GPU in virtual time: what a driver would answer, at no real time at all.

Only the instrument is here; curves and their exact energies come from elsewhere, so
that the truth shares no code with what is judged by it.
"""

from __future__ import annotations

import bisect
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.devices.meter import Method

MS = 1_000_000
SECOND = 1_000_000_000


class Curve(Protocol):
    """Power over time: its energy, and what a sensor with a first-order lag shows of it."""

    def energy_j(self, start_ns: int, end_ns: int) -> float: ...

    def lagged_w(self, t_ns: int, lag_ns: int) -> float: ...


@dataclass
class VirtualClock:
    """A monotonic clock that moves when somebody sleeps or a driver call takes time.

    Sleeps end late by an exponential time, as those of a real thread do.
    """

    now_ns: int = 1_000 * SECOND
    late_ns: float = 80_000.0
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        late_ns = self.random.expovariate(1 / self.late_ns) if self.late_ns else 0.0
        self.advance(seconds * SECOND + late_ns)

    def advance(self, ns: float) -> None:
        self.now_ns += max(round(ns), 0)


@dataclass(frozen=True)
class Sensor:
    """How a simulated card refreshes, averages, rounds and answers.

    Counter and power reading are apart, as those of the driver double in
    ``tests/instruments`` are; what is called alike means the same there.
    """

    refresh_ns: int = 100 * MS
    phase_ns: int = 0
    jitter_ns: float = 0.0
    """Standard deviation of a refresh around its place in the regular grid."""
    counter_window_ns: int = 0
    """How much of each refresh the counter looks at, at its end; the power of that time is
    taken for all of it. 0 is all."""
    counter_gain: float = 1.0
    """What the counter counts for each joule."""
    quantum_j: float | None = 0.001
    """Step of the counter; ``None`` is a card without one."""
    power_refresh_ns: int = 100 * MS
    power_phase_ns: int = 0
    power_jitter_ns: float | None = None
    """The same for the power reading; ``None`` is as much as the counter's."""
    averaging_ns: int | None = 25 * MS
    """What a power reading averages over; ``None`` is a card without such a reading."""
    power_lag_ns: int = 0
    """Time constant of a power reading that follows slowly, like a capacitor that is charged,
    instead of averaging; 0 is none. Older cards do (Burtscher, Zecena and Zong, Measuring
    GPU Power with the K20 Built-in Sensor, GPGPU-7, 2014)."""
    power_gain: float = 1.0
    power_quantum_w: float = 0.001
    """Step of the power reading."""
    latency_ns: float = 200_000.0
    """Median duration of a reading."""
    answered: float | None = 0.5
    """After which share of a call its value is taken; ``None`` is another one in every call. Nobody
    has published where drivers do."""
    slow_share: float = 0.0
    """Share of readings that take ``slow_ns`` instead."""
    slow_ns: int = 50 * MS


class Grid:
    """Instants of refreshing: regular, with independent jitter, in order."""

    def __init__(self, start_ns: int, period_ns: int, jitter_ns: float, rng: random.Random) -> None:
        self._period_ns, self._jitter_ns, self._random = period_ns, jitter_ns, rng
        self._next_ns = start_ns
        self._instants: list[int] = []

    def last_before(self, t_ns: int) -> int:
        """The latest refresh at or before *t_ns*."""
        return self[self.number(t_ns)]

    def number(self, t_ns: int) -> int:
        """Its number, from 0 on."""
        while self._next_ns <= t_ns + 2 * self._period_ns:
            limit = 0.45 * self._period_ns
            jitter = self._random.gauss(0, self._jitter_ns) if self._jitter_ns else 0.0
            self._instants.append(round(self._next_ns + min(max(jitter, -limit), limit)))
            self._next_ns += self._period_ns
        return bisect.bisect_right(self._instants, t_ns) - 1

    def __getitem__(self, number: int) -> int:
        return self._instants[number]


class Counter:
    """What an energy counter has counted at each of its refreshes, in joules, before rounding.

    One that looks at a part of the time takes the power of that part for the whole refresh.
    """

    def __init__(self, curve: Curve, grid: Grid, origin_ns: int, window_ns: int) -> None:
        self._curve, self._grid, self._window_ns = curve, grid, window_ns
        self._origin_ns, self._counted_j = origin_ns, [0.0]

    def energy_j(self, t_ns: int) -> float:
        number = self._grid.number(t_ns)
        if not self._window_ns:
            return self._curve.energy_j(self._origin_ns, self._grid[number])
        while len(self._counted_j) <= number:
            self._counted_j.append(self._counted_j[-1] + self._sampled_j(len(self._counted_j)))
        return self._counted_j[number]

    def _sampled_j(self, number: int) -> float:
        end_ns = self._grid[number]
        seen_j = self._curve.energy_j(end_ns - self._window_ns, end_ns)
        return seen_j / self._window_ns * (end_ns - self._grid[number - 1])


class Card:
    """One simulated GPU under a curve."""

    def __init__(self, curve: Curve, sensor: Sensor, start_ns: int, seed: int) -> None:
        early_ns = start_ns - 3 * SECOND
        power_jitter_ns = sensor.power_jitter_ns
        self.curve, self.sensor = curve, sensor
        self._counter = Counter(
            curve,
            Grid(
                early_ns + sensor.phase_ns, sensor.refresh_ns, sensor.jitter_ns, random.Random(seed)
            ),
            early_ns - 10 * SECOND,
            sensor.counter_window_ns,
        )
        self._power = Grid(
            early_ns + sensor.power_phase_ns,
            sensor.power_refresh_ns,
            sensor.jitter_ns if power_jitter_ns is None else power_jitter_ns,
            random.Random(f"power {seed}"),
        )

    def energy_j(self, t_ns: int) -> float | None:
        quantum_j = self.sensor.quantum_j
        if quantum_j is None:
            return None
        counted_j = self.sensor.counter_gain * self._counter.energy_j(t_ns)
        return math.floor(counted_j / quantum_j) * quantum_j

    def power_w(self, t_ns: int) -> float | None:
        averaging_ns, quantum_w = self.sensor.averaging_ns, self.sensor.power_quantum_w
        if averaging_ns is None:
            return None
        at_ns = self._power.last_before(t_ns)
        if self.sensor.power_lag_ns:
            power_w = self.curve.lagged_w(at_ns, self.sensor.power_lag_ns)
        else:
            power_w = self.curve.energy_j(at_ns - averaging_ns, at_ns) / averaging_ns * SECOND
        return round(round(self.sensor.power_gain * power_w / quantum_w) * quantum_w, 6)


def _capability(sensor: Sensor) -> Capability:
    method: Method = "integrated" if sensor.quantum_j is None else "counter"
    return Capability("gpu", method, sensor.quantum_j, None)


class SimulatedMeter:
    """Reads simulated cards; a read takes virtual time."""

    name: ClassVar[str] = "simulated"

    def __init__(
        self, clock: VirtualClock, curves: Sequence[Curve], sensors: Sequence[Sensor], seed: int = 0
    ) -> None:
        self._clock, self._random = clock, random.Random(seed)
        self._devices = [
            Device(f"GPU-{i}", "simulated", _capability(sensor), i)
            for i, sensor in enumerate(sensors)
        ]
        self._cards = {
            device.uuid: Card(curve, sensor, clock(), seed + 1000 * i)
            for i, (device, curve, sensor) in enumerate(
                zip(self._devices, curves, sensors, strict=True)
            )
        }
        self.lost: set[str] = set()
        self.facts_of: Callable[[int], Facts] = lambda now_ns: Facts(now_ns, temperature_c=60.0)

    def discover(self) -> Sequence[Device]:
        return self._devices

    def read(self, device: Device) -> Reading:
        if device.uuid in self.lost:
            raise MeterError(f"{device.uuid} is lost. Look at the driver's log.")
        card = self._cards[device.uuid]
        half_ns = self._latency_ns(card.sensor) / 2
        before_ns = self._clock()
        answered = card.sensor.answered
        energy_j = self._called(half_ns, answered, card.energy_j)
        between_ns = self._clock()
        power_w = self._called(half_ns, answered, card.power_w)
        return Reading(before_ns, self._clock(), energy_j, power_w, between_ns)

    def _called(
        self, took_ns: float, answered: float | None, answer: Callable[[int], float | None]
    ) -> float | None:
        """What a call that takes so long answers, after a share of it."""
        share = self._random.random() if answered is None else answered
        self._clock.advance(took_ns * share)
        value = answer(self._clock())
        self._clock.advance(took_ns * (1 - share))
        return value

    def facts(self, device: Device) -> Facts:  # noqa: ARG002 - all cards are alike
        return self.facts_of(self._clock())

    def close(self) -> None:
        pass

    def _latency_ns(self, sensor: Sensor) -> float:
        if self._random.random() < sensor.slow_share:
            return sensor.slow_ns
        return self._random.lognormvariate(math.log(sensor.latency_ns), 0.3)
