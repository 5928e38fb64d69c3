"""What a preview holds: courses with few points, and the edges of what was measured."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.marks import WindowPhase
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

PREVIEW_VERSION = 1


class Course(Stored):
    """One quantity over time, thinned out so that lows and highs stay where they were.

    Times and values are whole numbers, each as its step from the known one before it and the first
    from 0, which takes little room; :meth:`points` adds them up.
    """

    times: tuple[int, ...]
    """Steps of a tenth of a millisecond, from the preview's origin on."""
    values: tuple[int | None, ...]
    """One a time, in steps of ``unit``; ``None`` where nothing could be read."""
    unit: float = Field(gt=0)
    """What a step of 1 is worth, in the unit of the quantity: four digits of the largest value."""

    def points(self) -> list[tuple[float, float | None]]:
        """Milliseconds after the preview's origin, and the value there."""
        values = [None if total is None else total * self.unit for total in totals(self.values)]
        times = [(total or 0) / 10 for total in totals(self.times)]
        return list(zip(times, values, strict=True))


def totals(steps: Sequence[int | None]) -> list[int | None]:
    """What *steps* add up to, each with those before it; ``None`` stays."""
    sums = accumulate(step or 0 for step in steps)
    return [None if step is None else total for step, total in zip(steps, sums, strict=True)]


class DevicePreview(Stored):
    """What was read of one device."""

    uuid: str
    name: str
    index: int | None
    meter: str
    scope: Scope
    method: Method
    readings: int = Field(ge=0)
    """How many there were in full."""
    power_w: Course | None
    """``None`` if neither power nor energy was given."""
    power_from: Literal["readings", "counter"]
    """Whether power was read, or is the mean between two values of the energy counter, from the
    first of them on."""
    ticks: int = Field(ge=0)
    """How often the energy counter was seen to have risen."""
    ticked: tuple[int, ...]
    """When, in steps of a tenth of a millisecond; of many only some, evenly spread."""
    temperature_c: Course | None
    sm_clock_mhz: Course | None


class WindowPreview(Stored):
    """One window by its edges, in microseconds after the origin."""

    phase: WindowPhase
    index: int
    start_us: int
    end_us: int
    passes: int = Field(ge=0)
    """How many there were in full."""
    edges: tuple[int | None, ...]
    """Of each of its first passes start, end of prefill (``None`` is unknown) and end, in steps of
    a microsecond."""


class MeasurementPreview(Stored):
    """One measurement by its edges."""

    name: str
    warm_up_us: tuple[int, int] | None
    """Start and end in microseconds after the origin; ``None`` if there was none."""
    windows: tuple[WindowPreview, ...]


class Preview(Stored):
    """A picture of one process of an experiment, derived from its raw data."""

    schema_version: Literal[1] = 1
    origin_ns: int
    """Monotonic instant that all times count from."""
    devices: tuple[DevicePreview, ...]
    measurements: tuple[MeasurementPreview, ...]
