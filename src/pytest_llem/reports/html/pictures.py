"""Previews in the form that the page's charts unpack: whole numbers, as steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.reports.html.packing import steps
from pytest_llem.reports.html.report import VIEW

if TYPE_CHECKING:
    from pytest_llem.results.preview.document import (
        Course,
        DevicePreview,
        MeasurementPreview,
        Preview,
        WindowPreview,
    )

_TENTHS = 10
"""Times of courses are in tenths of a millisecond."""
_DIGITS = 4
"""As many as a preview keeps of the largest value."""


def picture_of(preview: Preview | None) -> dict[str, Any] | None:
    """A preview as JSON values; ``None`` if there is none."""
    if preview is None:
        return None
    return {
        "devices": [_device(one) for one in preview.devices],
        "measurements": [_measurement(one) for one in preview.measurements],
    }


def _device(one: DevicePreview) -> dict[str, Any]:
    return {
        "name": VIEW.clean(one.name),
        "meter": VIEW.clean(one.meter),
        "scope": one.scope,
        "estimated": one.method == "estimated",
        "from": one.power_from,
        "readings": one.readings,
        "power": _course(one.power_w),
        "ticks": one.ticks,
        "ticked": steps(one.ticks_ms, _TENTHS),
        "temperature": _course(one.temperature_c),
        "clock": _course(one.sm_clock_mhz),
    }


def _course(course: Course | None) -> list[Any] | None:
    """Times as steps, values as steps, and what one step of a value is."""
    if course is None:
        return None
    scale = _scale(course)
    return [steps(course.times_ms, _TENTHS), steps(course.values, scale), scale]


def _scale(course: Course) -> float:
    largest = max((abs(value) for value in course.values if value), default=1.0)
    return float(10.0 ** (_DIGITS - 1 - math.floor(math.log10(largest))))


def _measurement(one: MeasurementPreview) -> dict[str, Any]:
    return {
        "name": VIEW.clean(one.name),
        "warm": one.warm_up_us,
        "windows": [_window(window) for window in one.windows],
    }


def _window(window: WindowPreview) -> list[Any]:
    edges = [edge for one in window.edges_us for edge in one]
    return [
        window.phase,
        window.index,
        window.start_us,
        window.end_us,
        window.passes,
        steps(edges, 1),
    ]
