"""Traces of simulated cards, taken by the real sampler in virtual time."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.meter import Reading
from pytest_llem.energy.sampling.sampler import Sampler
from pytest_llem.energy.sampling.trace import Trace

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from instrument import MS, SECOND, Sensor, SimulatedMeter, VirtualClock
from instrument import Card as SimulatedCard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.cards import Card
    from instruments.curves import Curve

__all__ = [
    "MS",
    "SECOND",
    "Sensor",
    "SimulatedCard",
    "SimulatedMeter",
    "VirtualClock",
    "Watch",
    "edited",
    "recorded",
    "sensor_like",
    "sensor_of",
]


@dataclass
class Watch:
    """A sampler over simulated cards, and the time that it lives in."""

    clock: VirtualClock
    meter: SimulatedMeter
    sampler: Sampler

    @classmethod
    def over(cls, curves: Sequence[Curve], sensors: Sequence[Sensor], seed: int = 0) -> Watch:
        clock = VirtualClock(random=random.Random(seed))  # noqa: S311 - a simulation
        meter = SimulatedMeter(clock, curves, sensors, seed)
        return cls(clock, meter, Sampler(meter, meter.discover(), clock=clock))

    def run(self, seconds: float) -> None:
        """Let the sampler's loop go on for a while, as its thread would."""
        end_ns = self.clock() + round(seconds * SECOND)
        self.sampler.obey()
        while self.clock() < end_ns:
            self.clock.sleep(max(self.sampler.step() - self.clock(), 0) / SECOND)

    def attend(self, seconds: float) -> None:
        self.sampler.attend(on=True)
        self.run(seconds)


def recorded(curve: Curve, sensor: Sensor | None = None, *, seconds: float, seed: int = 0) -> Trace:
    """What the sampler reads of one card while it attends."""
    watch = Watch.over([curve], [sensor or Sensor()], seed)
    watch.attend(seconds)
    return watch.sampler.traces[0]


def sensor_of(rng: random.Random, period_ns: int = 100 * MS) -> Sensor:
    """A card of the usual kind with phases of its own."""
    return Sensor(
        refresh_ns=period_ns,
        phase_ns=rng.randrange(period_ns),
        power_refresh_ns=period_ns,
        power_phase_ns=rng.randrange(period_ns),
        averaging_ns=period_ns // 4,
    )


def sensor_like(
    card: Card, rng: random.Random, *, sampling: bool = False, **changes: Any
) -> Sensor:
    """What is read of a card by its instant power field, with phases of its own.

    Args:
        card: one of ``instruments.cards``.
        rng: decides the phases.
        sampling: the counter sees as much of the time as the instant power field.
        changes: fields of ``Sensor``.
    """
    own: dict[str, Any] = {
        "refresh_ns": card.refresh_ns,
        "phase_ns": rng.randrange(card.refresh_ns),
        "counter_window_ns": card.instant_window_ns if sampling and card.share < 1 else 0,
        "power_refresh_ns": card.refresh_ns,
        "power_phase_ns": rng.randrange(card.refresh_ns),
        "averaging_ns": card.instant_window_ns,
    }
    return Sensor(**(own | changes))


def edited(
    trace: Trace,
    *,
    keep: Callable[[int], bool] = lambda _: True,
    energy_j: Callable[[int, float], float | None] = lambda _, value: value,
    power_w: Callable[[int, float], float | None] = lambda _, value: value,
) -> Trace:
    """The same trace with readings left out or changed, by when each began."""
    other = Trace(trace.device, trace.meter, facts=list(trace.facts))
    parted_ns = trace.parted_ns(slice(len(trace)))
    columns = zip(
        trace.before_ns, trace.after_ns, trace.energy_j, trace.power_w, parted_ns, strict=True
    )
    for before_ns, after_ns, energy, power, between_ns in columns:
        if keep(before_ns):
            values = energy_j(before_ns, energy), power_w(before_ns, power)
            known_j, known_w = (
                None if value is None or math.isnan(value) else value for value in values
            )
            other.append(Reading(before_ns, after_ns, known_j, known_w, between_ns))
    return other
