"""What a preview holds: courses with few points, and the edges of what was measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.marks import WindowPhase
from pytest_llem.results.schema import Stored

PREVIEW_VERSION = 1


class Course(Stored):
    """One quantity over time, thinned out so that lows and highs stay where they were."""

    times_ms: tuple[float, ...]
    """Milliseconds after the preview's origin, ascending."""
    values: tuple[float | None, ...]
    """One a time, to four digits of the largest; ``None`` where nothing could be read."""


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
    ticks_ms: tuple[float, ...]
    """When, in milliseconds after the origin; of many only some, evenly spread."""
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
    edges_us: tuple[tuple[int, int | None, int], ...]
    """Of its first passes: start, end of prefill (``None`` is unknown), end."""


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
