"""A preview of raw data."""

from __future__ import annotations

import math
import operator
from itertools import compress, islice, pairwise
from typing import TYPE_CHECKING, Literal

from pytest_llem.results.preview.document import (
    Course,
    DevicePreview,
    MeasurementPreview,
    Preview,
    WindowPreview,
)
from pytest_llem.results.preview.thinning import evenly, known_steps, steps, thinned, unit_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.marks import MeasurementMarks, WindowMark
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.results.raw import RawData

MOST_POINTS = 400
"""Of power, a device; a screen is rarely wider than two pixels each."""
POINTS_OF_ALL, FEWEST_POINTS = 800, 150
"""Where there are many devices they share so many points, and each has so many at least."""
MOST_FACTS = 120
"""Of temperature and clock, which change slowly."""
MOST_TICKS = 150
MOST_PASSES = 240
"""In all windows of a measurement."""

PowerFrom = Literal["readings", "counter"]


def preview_of(raw: RawData) -> Preview | None:
    """A preview of *raw*; ``None`` if nothing was read and nothing marked."""
    origin_ns = min(_starts(raw), default=None)
    if origin_ns is None:
        return None
    traces = [trace for trace in raw.traces if len(trace)]
    most = min(MOST_POINTS, max(POINTS_OF_ALL // max(len(traces), 1), FEWEST_POINTS))
    return Preview(
        origin_ns=origin_ns,
        devices=tuple(_device(trace, origin_ns, most) for trace in traces),
        measurements=tuple(_measurement(marks, origin_ns) for marks in raw.marks),
    )


def _starts(raw: RawData) -> list[int]:
    starts = [trace.before_ns[0] for trace in raw.traces if len(trace)]
    for marks in raw.marks:
        starts += [window.start_ns for window in marks.windows]
        starts += [] if marks.warm_up is None else [marks.warm_up.start_ns]
    return starts


def _device(trace: Trace, origin_ns: int, most: int) -> DevicePreview:
    device = trace.device
    ticks = _ticks(trace)
    power, power_from = _power(trace, ticks, origin_ns, most)
    return DevicePreview(
        uuid=device.uuid,
        name=device.name,
        index=device.index,
        meter=trace.meter,
        scope=device.capability.scope,
        method=device.capability.method,
        readings=len(trace),
        power_w=power,
        power_from=power_from,
        ticks=len(ticks),
        ticked=known_steps(
            [
                _tenth(trace.after_ns[ticks[place]], origin_ns)
                for place in evenly(len(ticks), MOST_TICKS)
            ]
        ),
        temperature_c=_facts(trace, "temperature_c", origin_ns),
        sm_clock_mhz=_facts(trace, "sm_clock_mhz", origin_ns),
    )


def _ticks(trace: Trace) -> list[int]:
    """The readings in which the energy counter had risen."""
    energies, count = trace.energy_j, len(trace)
    risen = map(operator.lt, energies, islice(energies, 1, None))
    return list(compress(range(1, count), risen))


def _power(
    trace: Trace, ticks: Sequence[int], origin_ns: int, most: int
) -> tuple[Course | None, PowerFrom]:
    if not all(map(math.isnan, trace.power_w)):
        points = thinned(trace.power_w[: len(trace)].tolist(), most)
        times = [_tenth(trace.after_ns[place], origin_ns) for place, _ in points]
        return _course(times, [value for _, value in points]), "readings"
    return _power_between(trace, ticks, origin_ns, most), "counter"


def _power_between(trace: Trace, ticks: Sequence[int], origin_ns: int, most: int) -> Course | None:
    """Mean power between values of the counter: energy over time, from the first on."""
    chosen = [ticks[place] for place in evenly(len(ticks), most)]
    if len(chosen) < 2:  # noqa: PLR2004 - a mean needs two values
        return None
    times, powers = [], []
    for before, after in pairwise(chosen):
        gap_s = (trace.after_ns[after] - trace.after_ns[before]) / 1e9
        joules = trace.energy_j[after] - trace.energy_j[before]
        times.append(_tenth(trace.after_ns[before], origin_ns))
        powers.append(joules / gap_s if gap_s > 0 else math.nan)
    return _course([*times, _tenth(trace.after_ns[chosen[-1]], origin_ns)], [*powers, powers[-1]])


def _facts(
    trace: Trace, name: Literal["temperature_c", "sm_clock_mhz"], origin_ns: int
) -> Course | None:
    values = [getattr(fact, name) for fact in trace.facts]
    if all(value is None for value in values):
        return None
    points = thinned([math.nan if value is None else value for value in values], MOST_FACTS)
    times = [_tenth(trace.facts[place].time_ns, origin_ns) for place, _ in points]
    return _course(times, [value for _, value in points])


def _course(times: Sequence[int], values: Sequence[float]) -> Course:
    unit = unit_for(values)
    return Course(times=known_steps(times), values=steps(values, unit), unit=unit)


def _measurement(marks: MeasurementMarks, origin_ns: int) -> MeasurementPreview:
    shown = MOST_PASSES // max(len(marks.windows), 1)
    warm_up = marks.warm_up
    return MeasurementPreview(
        name=marks.name,
        warm_up_us=None
        if warm_up is None
        else (_us(warm_up.start_ns, origin_ns), _us(warm_up.end_ns, origin_ns)),
        windows=tuple(_window(window, origin_ns, shown) for window in marks.windows),
    )


def _window(window: WindowMark, origin_ns: int, shown: int) -> WindowPreview:
    return WindowPreview(
        phase=window.phase,
        index=window.index,
        start_us=_us(window.start_ns, origin_ns),
        end_us=_us(window.end_ns, origin_ns),
        passes=len(window.passes),
        edges=steps(
            [
                None if instant is None else _us(instant, origin_ns)
                for one in window.passes[:shown]
                for instant in (one.start_ns, one.prefill_end_ns, one.end_ns)
            ],
            1,
        ),
    )


def _tenth(instant_ns: int, origin_ns: int) -> int:
    """Tenths of a millisecond after the origin."""
    return round((instant_ns - origin_ns) / 1e5)


def _us(instant_ns: int, origin_ns: int) -> int:
    return round((instant_ns - origin_ns) / 1e3)
