"""The energy of one device over one window, with an interval that means it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.counter import MARGIN_NS, counter_nodes
from pytest_llem.energy.estimator.inside import Inside
from pytest_llem.energy.estimator.integrate import Power
from pytest_llem.energy.estimator.notes import calls_of, losses_of, notes_of
from pytest_llem.energy.estimator.readings import Readings, readings_between
from pytest_llem.energy.estimator.refreshes.power_period import power_period
from pytest_llem.energy.estimator.repair import (
    implausible_steps,
    implausible_w,
    repaired,
    said_of_step,
)
from pytest_llem.energy.estimator.surroundings import Nodes, Surroundings

if TYPE_CHECKING:
    from pytest_llem.devices.meter import Capability
    from pytest_llem.energy.sampling.trace import Trace

ESTIMATOR = "refresh-shapes/12"
"""Name and version of this estimator; another version may give other figures."""
WIDE_NS = 30_000_000_000
"""How far around a window the refreshes of the power reading are looked for."""
NORMAL_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""
LONGEST_INTERVAL = 3.5
"""A counter that was not seen to refresh for so many periods says nothing about an edge."""
LONGEST_GAP_S = 0.5
"""Longest time without a reading at an edge of a counter that runs continuously."""
NO_TIME = "the window ends no later than it starts"
AGREEMENT = 0.02
"""Counter and integrated power may differ so much, whatever their uncertainties say."""


@dataclass(frozen=True, slots=True)
class WindowEnergy:
    """What one device used between two instants."""

    energy_j: float | None
    """Best estimate; ``None`` where nothing honest can be said, with the reason in warnings."""
    uncertainty_j: float | None
    """Half-width of the 95 % interval; the sensor's own gain is not part of it."""
    counter_energy_j: float | None
    """From the energy counter; ``None`` without one."""
    integrated_energy_j: float | None
    """From power readings; ``None`` without them."""
    power_w: float | None
    """Mean power."""
    warnings: tuple[str, ...]
    valid: bool
    alike_j: float = 0.0
    """The part of the uncertainty by which other devices that the same driver reads are off as
    well: after which share of a call it takes a value. Of several devices such parts add up."""


@dataclass(frozen=True, slots=True)
class Known:
    """Energy by one way of reading, or why there is none."""

    energy_j: float | None = None
    deviation_j: float = 0.0
    alike_j: float = 0.0
    problem: str = ""


def estimate_window(trace: Trace, start_ns: int, end_ns: int) -> WindowEnergy:
    """The energy of a trace's device from *start_ns* to *end_ns* (``time.monotonic_ns``).

    Taken from the energy counter where there is one, else from integrated power. A
    window is invalid, and says why, if the trace does not reach beyond it, if the
    counter went backwards in it or gave nothing, if an edge fell into a gap, or if it
    takes no time.
    """
    if end_ns <= start_ns:
        return _compose(Known(problem=NO_TIME), Known(), 0.0, has_counter=True)
    most_w = implausible_w(_limit_w(trace))
    whole = readings_between(trace, start_ns - MARGIN_NS, end_ns + MARGIN_NS)
    readings, mended = repaired(whole, most_w)
    powers, counters = readings.with_power(), readings.with_energy()
    wide = readings_between(trace, start_ns - WIDE_NS, end_ns + WIDE_NS)
    period = power_period(wide.with_power(), wide.with_energy())
    power = Power(powers, period.ns, exact=period.is_counters) if len(powers) else None
    counter, averaging_s = _by_counter(
        _since_reset(counters, start_ns, end_ns, most_w), power, trace.device.capability
    )
    integral = _by_power(power, powers, averaging_s, start_ns, end_ns)
    has_counter = bool(len(counters)) or trace.device.capability.method == "counter"
    found = _compose(counter, integral, (end_ns - start_ns) / 1e9, has_counter=has_counter)
    notes = [*notes_of(mended, start_ns, end_ns), *calls_of(whole, start_ns, end_ns)]
    notes += losses_of(trace, start_ns, end_ns, valid=found.valid)
    return replace(found, warnings=(*found.warnings, *notes))


def _limit_w(trace: Trace) -> float | None:
    limits = [fact.power_limit_w for fact in trace.facts if fact.power_limit_w is not None]
    return max(limits, default=None)


class Stretch(NamedTuple):
    """A counter's readings between two instants, as far as they belong together."""

    readings: Readings
    problem: str
    start_ns: int
    end_ns: int


def _by_counter(
    stretch: Stretch, power: Power | None, capability: Capability
) -> tuple[Known, float | None]:
    readings, problem, start_ns, end_ns = stretch
    if not len(readings):
        return Known(problem="the energy counter gave nothing around the window"), None
    if problem:
        return Known(problem=problem), None
    nodes = counter_nodes(readings, capability)
    problem = _unreached(nodes, start_ns, end_ns) or _gap(nodes, start_ns, end_ns)
    if problem:
        return Known(problem=problem), None
    samples, period_s = (power.samples(), power.period_s) if power else ([], None)
    around = Surroundings(nodes, samples, period_s, (start_ns, end_ns))
    inside = Inside(around, start_ns, end_ns)
    energy_j, deviation_j, alike_j = inside.energy()
    step_j = capability.resolution_j or 0.0
    deviation_j = math.hypot(deviation_j, step_j / math.sqrt(6))
    return Known(energy_j, deviation_j, alike_j), inside.averaging_s


def _since_reset(readings: Readings, start_ns: int, end_ns: int, most_w: float) -> Stretch:
    """The readings between resets and leaps around the window, or what happened in it."""
    first, last = 0, len(readings)
    for i in implausible_steps(readings, most_w):
        if readings.after_ns[i] <= start_ns:
            first = i
        elif readings.before_ns[i - 1] >= end_ns:
            last = i
            break
        else:
            said = said_of_step(readings.energy_j[i - 1], readings.energy_j[i])
            return Stretch(readings, said, start_ns, end_ns)
    return Stretch(readings.part(first, last), "", start_ns, end_ns)


def _unreached(nodes: Nodes, start_ns: int, end_ns: int) -> str:
    if len(nodes) < 3:  # noqa: PLR2004 - one interval and a neighbour
        return "the energy counter was not seen to refresh around the window"
    if nodes.last_before(start_ns) < 0:
        return "the energy counter was not seen to refresh before the window's start"
    if nodes.last_before(end_ns) >= len(nodes) - 1:
        return "the energy counter was not seen to refresh after the window's end"
    return ""


def _gap(nodes: Nodes, start_ns: int, end_ns: int) -> str:
    for name, t_ns in (("start", start_ns), ("end", end_ns)):
        number = nodes.last_before(t_ns)
        a, b = nodes[number], nodes[number + 1]
        period_ns = nodes.period_ns or 0.0
        limit_ns = max(LONGEST_INTERVAL * period_ns, LONGEST_GAP_S * 1e9)
        if b.time_ns - a.time_ns > limit_ns:
            seconds = (b.time_ns - a.time_ns) / 1e9
            return f"the energy counter was not seen to refresh for {seconds:.2f} s across the window's {name}"
    return ""


def _by_power(
    power: Power | None, readings: Readings, averaging_s: float | None, start_ns: int, end_ns: int
) -> Known:
    if power is None:
        return Known(problem="there are no power readings")
    gap_s = readings.widest_gap_s(start_ns, end_ns)
    limit_s = max(LONGEST_INTERVAL * (power.period_ns or 0.0) / 1e9, LONGEST_GAP_S)
    if gap_s > limit_s:
        many = "none at an edge" if math.isinf(gap_s) else f"none for {gap_s:.2f} s"
        return Known(problem=f"power readings are missing: {many}")
    integral = power.integral(start_ns, end_ns, averaging_s)
    if integral is None:
        return Known(problem="power readings do not reach beyond the window")
    return Known(integral.energy_j, integral.deviation_j)


def _compose(counter: Known, power: Known, duration_s: float, *, has_counter: bool) -> WindowEnergy:
    best = counter if has_counter else power
    warnings = [best.problem] if best.problem else []
    if has_counter and (note := _disagreement(counter, power)):
        warnings.append(note)
    energy_j = best.energy_j
    return WindowEnergy(
        energy_j=energy_j,
        uncertainty_j=None if energy_j is None else NORMAL_95 * best.deviation_j,
        counter_energy_j=counter.energy_j,
        integrated_energy_j=power.energy_j,
        power_w=None if energy_j is None else energy_j / duration_s,
        warnings=tuple(warnings),
        valid=energy_j is not None,
        alike_j=NORMAL_95 * best.alike_j,
    )


def _disagreement(counter: Known, power: Known) -> str:
    """What to say where both ways of reading contradict each other, else nothing."""
    if counter.energy_j is None or power.energy_j is None:
        return ""
    allowed_j = NORMAL_95 * math.hypot(counter.deviation_j, power.deviation_j)
    allowed_j += AGREEMENT * abs(counter.energy_j)
    if abs(counter.energy_j - power.energy_j) <= allowed_j:
        return ""
    return (
        f"the counter says {counter.energy_j:.3f} J and integrated power {power.energy_j:.3f} J, "
        f"which differ by more than the {allowed_j:.3f} J that both allow"
    )
