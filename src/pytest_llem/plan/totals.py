"""What a whole grid is expected to take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.plan.columns import joules, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.plan.outlook import Forecast, Origin

SAID: dict[Origin, str] = {
    "run": "earlier runs of {}",
    "baseline": "baselines of {}",
    "model": "a model of an ideal machine for {}, which is the least",
}


@dataclass(slots=True)
class Totals:
    """Sums over points; each figure over those of which it is known."""

    points: int = 0
    origins: Counter[Origin] = field(default_factory=Counter)
    wall_s: float = 0.0
    energy_j: float = 0.0
    gpu_hours: float = 0.0
    with_time: int = 0
    with_energy: int = 0
    with_gpus: int = 0

    def add(self, forecast: Forecast, processes: int) -> None:
        """Count a point that is run in so many processes."""
        self.points += 1
        self.origins[forecast.origin] += 1
        if forecast.wall_s is not None:
            self.wall_s += processes * forecast.wall_s
            self.with_time += 1
        if forecast.energy_j is not None:
            self.energy_j += processes * forecast.energy_j
            self.with_energy += 1
        if forecast.gpu_hours is not None:
            self.gpu_hours += processes * forecast.gpu_hours
            self.with_gpus += 1

    def lines(self, reasons: Iterable[str]) -> list[str]:
        """What is said of the whole, and why something is unknown."""
        time = seconds(self.wall_s) if self.with_time else "?"
        energy = joules(self.energy_j) if self.with_energy else "?"
        hours = f"{self.gpu_hours:.3g}" if self.with_gpus else "?"
        known = (
            f"time {time}{self._of(self.with_time)}",
            f"energy {energy}{self._of(self.with_energy)}",
        )
        gpus = f"GPU hours {hours}{self._of(self.with_gpus)}"
        found = [f"in all: {known[0]}, {gpus}, {known[1]}"]
        parts = [
            words.format(self.origins[origin])
            for origin, words in SAID.items()
            if self.origins[origin]
        ]
        if parts:
            found.append(f"told from {', '.join(parts)}")
        return [*found, *reasons]

    def _of(self, known: int) -> str:
        return "" if known in {0, self.points} else f" for {known} of {self.points} points"
