"""The energy of everything that was read of a process: loading, warm-up and windows alike."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.estimator.readings import readings_between
from pytest_llem.energy.estimator.repair import (
    implausible_steps,
    implausible_w,
    repaired,
    said_of_step,
)
from pytest_llem.energy.measured import Inferred
from pytest_llem.energy.scopes import capability_of, groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.sampling.trace import Trace

_ENDLESS_NS = 2**62
SECOND_NS = 1e9
LONGEST_STILL_S = 1.0
"""A counter of a device that is on moves; one that stood for so long at an end has stopped."""
LONGEST_INTERVALS = 3.5
"""The same in usual times from one value to the next, for counters that refresh seldom."""
CAUGHT_UP = 0.5
"""Of the energy of power readings, a counter that stood and moved again shows more than this."""


class Spent(Inferred):
    """What the devices of a process used from its first reading to its last."""

    energy_j: float | None
    """``None`` if it is not known of a device, as of one that was not read, or whose counter was
    reset or stood still."""
    reason: str | None = None
    """Why the energy is not known, as sentences; ``None`` if it is."""
    read_s: float
    """From the first reading to the last of the device that was read for the shortest time."""
    scope: Scope
    method: Method
    devices: int
    """How many."""


def spent_of(traces: Sequence[Trace]) -> Spent:
    """What the traces that are the headline's used, from the first reading to the last.

    Of a counter that is the difference, its wraps carried on; without one, power readings
    integrated by the trapezoidal rule. It knows no interval: windows are what was measured well.

    Raises:
        MeterError: there is no trace, or traces that belong together were not read alike.
    """
    group = groups_of(traces)[0]
    capability = capability_of(group)
    found = [_energy_of(trace) for trace in group]
    known = [one.energy_j for one in found if one.energy_j is not None]
    said = [
        f"{t.device.uuid}: {one.reason}" for t, one in zip(group, found, strict=True) if one.reason
    ]
    return Spent(
        energy_j=sum(known) if len(known) == len(found) else None,
        reason="; ".join(said) or None,
        read_s=min(_read_s(trace) for trace in group),
        scope=capability.scope,
        method=capability.method,
        devices=len(group),
    )


class _Energy(NamedTuple):
    """Of one device, or why it is not known."""

    energy_j: float | None
    reason: str = ""


def _read_s(trace: Trace) -> float:
    return (trace.after_ns[-1] - trace.before_ns[0]) / SECOND_NS if len(trace) else 0.0


def _energy_of(trace: Trace) -> _Energy:
    limits = [fact.power_limit_w for fact in trace.facts if fact.power_limit_w is not None]
    most_w = implausible_w(max(limits, default=None))
    readings = repaired(readings_between(trace, -_ENDLESS_NS, _ENDLESS_NS), most_w).readings
    counters, powers = readings.with_energy(), readings.with_power()
    method = trace.device.capability.method
    if not len(readings):
        return _Energy(None, "it was never read")
    if method == "counter" or len(counters):
        problem = _problem(counters, most_w)
        if not problem and method == "counter":
            problem = _silence(readings, counters, powers)
        if problem:
            return _Energy(None, problem)
        return _Energy(counters.energy_j[-1] - counters.energy_j[0])
    if len(powers) < 2:  # noqa: PLR2004 - ends
        return _Energy(None, "there are no power readings")
    return _Energy(_by_power(powers))


def _problem(counters: Readings, most_w: float) -> str:
    """Why a counter's last value is not to be held against its first; empty if it is."""
    if len(counters) < 2:  # noqa: PLR2004 - ends
        return "the energy counter gave nothing"
    for number in implausible_steps(counters, most_w):
        return said_of_step(*counters.energy_j[number - 1 : number + 1])
    return ""


def _silence(readings: Readings, counters: Readings, powers: Readings) -> str:
    """Where a counter stood still and what was used meanwhile is not in it; empty if nowhere.

    A model may well say that nothing was used, but a device that is on always uses something.
    """
    values = counters.energy_j
    new = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1])]
    moments = [counters.after_ns[i] for i in new]
    usual_ns = median([b - a for a, b in pairwise(moments)] or [0])
    limit_s = max(LONGEST_STILL_S, LONGEST_INTERVALS * usual_ns / SECOND_NS)
    first_s = (moments[0] - readings.before_ns[0]) / SECOND_NS
    last_s = (readings.after_ns[-1] - moments[-1]) / SECOND_NS
    if first_s > limit_s:
        return f"the energy counter gave nothing for the first {first_s:.1f} s"
    if len(new) == 1 and last_s <= limit_s:
        return f"the energy counter was not seen to refresh in the {last_s:.2f} s it was read"
    if last_s > limit_s:
        return f"the energy counter gave nothing new for the last {last_s:.1f} s"
    for a, b in pairwise(new):
        seconds = (counters.after_ns[b] - counters.before_ns[a]) / SECOND_NS
        if seconds <= limit_s:
            continue
        first = bisect_left(powers.before_ns, counters.before_ns[a])
        last = bisect_right(powers.after_ns, counters.after_ns[b])
        seen_j = _by_power(powers.part(first, last), LONGEST_STILL_S)
        if values[b] - values[a] < CAUGHT_UP * seen_j:
            return (
                f"the energy counter stood still for {seconds:.1f} s and did not catch up with "
                "what power readings say of them"
            )
    return ""


def _by_power(powers: Readings, longest_s: float = math.inf) -> float:
    """Integrated, but for gaps that are longer than *longest_s*."""
    middles = [(a + b) / 2 for a, b in zip(powers.before_ns, powers.after_ns, strict=True)]
    gaps = pairwise(zip(middles, powers.power_w, strict=True))
    parts = (((b[0] - a[0]) / SECOND_NS, (a[1] + b[1]) / 2) for a, b in gaps)
    return sum(power_w * seconds for seconds, power_w in parts if seconds <= longest_s)
