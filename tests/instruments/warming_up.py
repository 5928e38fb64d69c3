"""A load that warms simulated cards up, followed by the real sampler and the real watch."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instruments.recordings import MS, SECOND, Sensor, SimulatedMeter, Watch
from pytest_llem.energy.warm_up.watch import SteadyWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.curve import Curve
    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.marks import Criterion

START_NS = 1_001 * SECOND
"""When the load begins; the cards are read from a second before."""


@dataclass
class WarmingUp:
    """Passes of equal work on cards whose power is given, beginning at ``START_NS``."""

    curves: Sequence[Curve]
    pass_s: float = 0.1
    facts: Callable[[int], Facts] | None = None
    """What is seen of all cards at an instant; ``None`` is a level temperature."""
    sensors: Sequence[Sensor] | None = None
    lasting_s: float = 5.0
    seed: int = 0
    scene: Watch = field(init=False)
    watch: SteadyWatch = field(init=False)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)  # noqa: S311 - a simulation
        phases = [rng.randrange(100 * MS) for _ in self.curves]
        sensors = self.sensors or [Sensor(phase_ns=phase) for phase in phases]
        self.scene = Watch.over(self.curves, sensors, self.seed)
        if self.facts is not None:
            self.meter.facts_of = self.facts
        self.watch = SteadyWatch(self.scene.sampler, START_NS, self.lasting_s)
        self.scene.run((START_NS - self.scene.clock()) / SECOND)
        self._end_ns = START_NS

    @property
    def meter(self) -> SimulatedMeter:
        return self.scene.meter

    def settled_s(self, limit_s: float) -> float | None:
        """After how long the devices were first seen to have settled; ``None`` if never."""
        while self.scene.clock() < START_NS + limit_s * SECOND:
            self.go_on(self.pass_s)
            if self.watch.holds(self.scene.clock()):
                return (self.scene.clock() - START_NS) / SECOND
        return None

    def go_on(self, seconds: float) -> None:
        """Run passes for at least so long."""
        until_ns = self._end_ns + seconds * SECOND
        while self._end_ns < until_ns - 1:
            self._end_ns += round(self.pass_s * SECOND)
            self.scene.attend((self._end_ns - self.scene.clock()) / SECOND)
            self.watch.passed(self._end_ns)

    def seen(self) -> dict[str, Criterion]:
        """The criteria as they are now, by their names."""
        return {one.name: one for one in self.watch.seen(self.scene.clock())}
