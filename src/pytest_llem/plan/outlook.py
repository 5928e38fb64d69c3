"""What is known of a grid before it is run: baselines, memory, and what it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.plan.memory.fits import Fits
    from pytest_llem.plan.point import Point

    BaselineState = Callable[[Sequence[Point]], Mapping[str, str] | "AllAre"]

Origin = Literal["run", "baseline", "model", "unknown"]
"""Where a forecast comes from: an earlier run of the same experiment, its baseline, a model of
the machine, or nowhere."""


@dataclass(frozen=True, slots=True)
class AllAre:
    """One state for all points, whatever their identities, which need not be worked out."""

    state: str

    def get(self, _identity: str, _default: str | None = None) -> str:
        """The state."""
        return self.state


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one process of an experiment is expected to take; ``None`` is unknown."""

    origin: Origin
    how: str
    """What it was told from, or why nothing can be told, in words."""
    wall_s: float | None = None
    """From the start of its process to its end."""
    energy_j: float | None = None
    """Of the devices that are read, over that time."""
    gpus: int | None = None
    """GPUs that it occupies; 0 on a CPU."""

    @property
    def gpu_hours(self) -> float | None:
        """GPUs times hours."""
        if self.wall_s is None or self.gpus is None:
            return None
        return self.gpus * self.wall_s / 3600


class Forecaster(Protocol):
    """Tells what experiments will take."""

    def of(self, point: Point) -> Forecast:
        """The forecast of a point that can be run."""
        ...

    def hopeless(self) -> str | None:
        """Why nothing at all can be foretold; ``None`` if something may."""
        ...


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a dry run asks others; ``None`` says nothing of it."""

    baselines: BaselineState | None = None
    """The state of baselines by identity, for the points of one group: ``have``, ``missing``,
    ``incomparable`` or ``unreadable``."""
    fits: Fits | None = None
    forecaster: Forecaster | None = None
