"""Whether devices have settled under a load: power, temperature, throttling. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.course import course_of, mean_powers_w
from pytest_llem.energy.marks import Criterion
from pytest_llem.energy.throttling import HARMLESS
from pytest_llem.energy.trend import LEAST_POINTS, trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.course import Course
    from pytest_llem.energy.trace import Trace
    from pytest_llem.energy.trend import Trend

SECOND_NS = 1_000_000_000
MOST_DRIFT = 0.02
"""Power may change by so much, relative to itself, while the windows are measured."""
BLIND = 0.10
"""Where power scatters, a drift that cannot be told from none is let pass once it is known to
half this width; windows that scatter so much state it in their own uncertainty."""
LONG = 1.0
MOST_CHANGE_C = 3.0
"""Temperature may change by so much meanwhile. An assumption: leakage moves a card's power by
some tenths of a percent a degree, so that this is about one percent of power."""
STEP_C = 1.0
"""Sensors show whole degrees; a single step is no change."""
SETTLING_S = 30.0
"""Power and temperature of a card settle with time constants of up to this, the heat sink's: a
slope of now goes on for no longer, however long the windows are."""
WINDOWS = 5
"""A pass that is longer than a window is a window; so many of them are looked ahead."""
BLOCKS = 8
"""Into how many blocks of whole passes a stretch of time is cut."""
LEAST_BLOCK_NS = 200_000_000
"""A shorter block is not told from its neighbours by a counter that refreshes every 100 ms."""
LONGEST_NS = 120 * SECOND_NS
"""No more than this is looked back, or as long as it takes to see enough passes."""
MARGIN_NS = 500_000_000
"""Readings before a stretch that help to see its start."""
SILENT_NS = 3 * SECOND_NS
"""A device that gave nothing new for so long will not give anything."""
LEAST_TEMPERED_NS = 2 * SECOND_NS
"""Temperature is looked at for at least so long, or for the whole warm-up if that is shorter."""
LATEST_NS = SECOND_NS
"""How far back throttling is throttling now."""


class Load(NamedTuple):
    """What runs on the devices: passes, and for how long it will be measured."""

    start_ns: int
    ends_ns: Sequence[int]
    """When passes ended, in order; not necessarily all of them."""
    lasting_s: float
    """How long the windows will take at least, in seconds."""

    def until(self, time_ns: int) -> Load:
        """What had happened by an instant."""
        return self._replace(ends_ns=self.ends_ns[: bisect_right(self.ends_ns, time_ns)])

    def horizon_s(self) -> float:
        """Over what time a drift counts: the windows', but no longer than it can go on."""
        gaps = [b - a for a, b in pairwise(self.ends_ns[-2 * BLOCKS :])]
        passes_s = WINDOWS * median(gaps) / SECOND_NS if gaps else 0.0
        return min(max(self.lasting_s, passes_s), SETTLING_S)


def settling(traces: Sequence[Trace], load: Load, now_ns: int) -> tuple[Criterion, ...]:
    """The criteria that are seen on devices, judged by what was read until now."""
    horizon_s = load.horizon_s()
    return (
        power(traces, load, now_ns, horizon_s),
        temperature(traces, load.start_ns, now_ns, horizon_s),
        throttling(traces, now_ns),
    )


def power(traces: Sequence[Trace], load: Load, now_ns: int, horizon_s: float) -> Criterion:
    """Whether power stands still from whole passes to whole passes.

    The first pass is left out, since things are made ready in it. Of the time since, all
    or the later half is cut into blocks of whole passes, whose mean powers may show no
    trend: either its whole 95 % interval is below ``MOST_DRIFT`` over the windows to come,
    or there is no significant one and the interval is narrower than ``BLIND``.
    """
    if any(trace.device.capability.method == "estimated" for trace in traces):
        return Criterion(
            name="power", holds=None, reason="an estimate from CPU time shows no power"
        )
    if silent := [trace for trace in traces if _silent(trace, now_ns)]:
        names = ", ".join(trace.device.uuid for trace in silent)
        return Criterion(name="power", holds=None, reason=f"{names} could not be read")
    found = [one for one in _trends(traces, load, now_ns) if one is not None]
    if not found:
        return Criterion(
            name="power",
            holds=False,
            limit=MOST_DRIFT,
            reason="too few passes or refreshes to see a trend of power",
        )
    judged = [_drift(*one, horizon_s) for one in found]
    return next((one for one in judged if one.holds), judged[-1])


def _silent(trace: Trace, now_ns: int) -> bool:
    """Whether nothing new was seen of a device's energy or power for long."""
    start_ns = now_ns - SILENT_NS
    count = bisect_right(trace.after_ns, now_ns, 0, len(trace))
    if count and trace.before_ns[0] > start_ns:
        return False
    first = bisect_left(trace.before_ns, start_ns, 0, count)
    columns = (trace.energy_j[first:count], trace.power_w[first:count])
    energies, powers = ([v for v in column if not math.isnan(v)] for column in columns)
    return not powers and len(set(energies)) < 2  # noqa: PLR2004 - one value is no news


def _trends(
    traces: Sequence[Trace], load: Load, now_ns: int
) -> list[tuple[Trend, float, float] | None]:
    """Trend of power and mean power over all and over the later half of the passes."""
    if len(load.ends_ns) <= LEAST_POINTS:
        return []
    first_ns = max(load.ends_ns[0], now_ns - LONGEST_NS)
    if load.ends_ns[-LEAST_POINTS - 1] < first_ns:
        first_ns = load.ends_ns[-LEAST_POINTS - 1]
    courses = [course_of(trace, first_ns - MARGIN_NS, now_ns) for trace in traces]
    if not all(course.times_ns for course in courses):
        return []
    known_ns = (
        max(course.times_ns[0] for course in courses),
        min(course.times_ns[-1] for course in courses),
    )
    ends_ns = [end for end in load.ends_ns if max(first_ns, known_ns[0]) <= end <= known_ns[1]]
    if len(ends_ns) <= LEAST_POINTS:
        return []
    middle = bisect_left(ends_ns, (ends_ns[0] + ends_ns[-1]) / 2)
    half = ends_ns[min(middle, len(ends_ns) - LEAST_POINTS - 1) :]
    return [_trend(courses, edges) for edges in (_blocks(ends_ns), _blocks(half))]


def _blocks(ends_ns: Sequence[int]) -> list[int]:
    """Ends of passes, at about equal distances."""
    first_ns, last_ns = ends_ns[0], ends_ns[-1]
    count = min((last_ns - first_ns) // LEAST_BLOCK_NS, BLOCKS)
    if count < LEAST_POINTS:
        return []
    wanted = [first_ns + (last_ns - first_ns) * i / count for i in range(count + 1)]
    return sorted({_nearest(ends_ns, time_ns) for time_ns in wanted})


def _nearest(ends_ns: Sequence[int], time_ns: float) -> int:
    after = bisect_left(ends_ns, time_ns)
    near = ends_ns[max(after - 1, 0) : after + 1]
    return min(near, key=lambda end_ns: abs(end_ns - time_ns))


def _trend(courses: Sequence[Course], edges_ns: Sequence[int]) -> tuple[Trend, float, float] | None:
    if len(edges_ns) <= LEAST_POINTS:
        return None
    powers_w = mean_powers_w(courses, edges_ns)
    middles_s = [(a + b) / 2 / SECOND_NS for a, b in pairwise(edges_ns)]
    length_s = (edges_ns[-1] - edges_ns[0]) / SECOND_NS
    return trend(middles_s, powers_w), fmean(powers_w), length_s


def _drift(found: Trend, mean_w: float, length_s: float, horizon_s: float) -> Criterion:
    if mean_w <= 0:
        return Criterion(name="power", holds=None, reason="the devices show no power")
    drift, known, farthest = (
        value * horizon_s / mean_w for value in (found.slope, found.half_width, found.farthest)
    )
    blind = length_s >= LONG * horizon_s and not found.significant and known <= BLIND / 2
    holds = farthest <= MOST_DRIFT or blind
    return Criterion(
        name="power",
        holds=holds,
        value=drift,
        limit=MOST_DRIFT,
        reason=f"power of {mean_w:.0f} W drifts by {drift:+.1%} ± {known:.1%} in {horizon_s:.3g} s",
    )


def temperature(
    traces: Sequence[Trace], start_ns: int, now_ns: int, horizon_s: float
) -> Criterion:
    """Whether no device grows warmer or colder by more than a step, or only slowly."""
    first_ns = min((start_ns + now_ns) // 2, now_ns - LEAST_TEMPERED_NS)
    changes = [_change(trace, max(first_ns, start_ns), now_ns) for trace in traces]
    known = [change for change in changes if change is not None]
    if not known:
        return Criterion(name="temperature", holds=None, reason="no device tells its temperature")
    degrees, seconds = max(known, key=lambda change: abs(change[0]))
    beyond_c = math.copysign(max(abs(degrees) - STEP_C, 0.0), degrees)
    change_c = beyond_c / seconds * horizon_s if seconds else 0.0
    return Criterion(
        name="temperature",
        holds=abs(change_c) <= MOST_CHANGE_C,
        value=change_c,
        limit=MOST_CHANGE_C,
        reason=f"temperature changed by {degrees:+.1f} °C in {seconds:.1f} s",
    )


def _change(trace: Trace, first_ns: int, now_ns: int) -> tuple[float, float] | None:
    """Change from the first third of some looks to their last, and the time between, in seconds."""
    seen = [
        (fact.time_ns, fact.temperature_c)
        for fact in _facts(trace, first_ns, now_ns)
        if fact.temperature_c is not None
    ]
    if not seen:
        return None
    third = max(len(seen) // 3, 1)
    (a_ns, a_c), (b_ns, b_c) = (
        tuple(map(fmean, zip(*part, strict=True))) for part in (seen[:third], seen[-third:])
    )
    return b_c - a_c, (b_ns - a_ns) / SECOND_NS


def throttling(traces: Sequence[Trace], now_ns: int) -> Criterion:
    """Whether nothing slows a device now that a card is not meant to be slowed by."""
    seen = [_facts(trace, now_ns - LATEST_NS, now_ns) for trace in traces]
    told = [facts for facts in seen if any(_tells(fact) for fact in facts)]
    if not told:
        return Criterion(
            name="throttling", holds=None, reason="no device tells whether it is throttled"
        )
    slowed = {
        trace.device.uuid: reasons
        for trace, facts in zip(traces, seen, strict=True)
        if (reasons := _slowing(facts))
    }
    said = "; ".join(f"{uuid} is slowed: {', '.join(why)}" for uuid, why in slowed.items())
    return Criterion(
        name="throttling",
        holds=not slowed,
        value=float(sum(map(len, slowed.values()))),
        limit=0.0,
        reason=said or "nothing slows the devices",
    )


def _tells(fact: Facts) -> bool:
    return fact.throttle_reasons is not None or fact.slowed_ns is not None


def _slowing(facts: Sequence[Facts]) -> list[str]:
    """Reasons of the latest look, or that the device was slowed since the first."""
    reasons = sorted({r for fact in facts[-1:] for r in fact.throttle_reasons or ()} - HARMLESS)
    slowed = [fact.slowed_ns for fact in facts if fact.slowed_ns is not None]
    if not reasons and slowed and slowed[-1] > slowed[0]:
        return ["heat or a limit of its board, between two looks"]
    return reasons


def _facts(trace: Trace, start_ns: int, end_ns: int) -> list[Facts]:
    """Looks between two instants; the last one before, where there is none."""
    facts = trace.facts[:]
    first = bisect_left(facts, start_ns, key=lambda fact: fact.time_ns)
    last = bisect_right(facts, end_ns, key=lambda fact: fact.time_ns)
    return facts[first:last] or facts[max(last - 1, 0) : last]
