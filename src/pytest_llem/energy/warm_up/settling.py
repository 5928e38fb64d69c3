"""Whether devices have settled under a load: temperature and throttling, beside their power."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.marks import Criterion
from pytest_llem.energy.throttling import HARMLESS
from pytest_llem.energy.warm_up.load import SECOND_NS
from pytest_llem.energy.warm_up.power_drift import power_drift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.energy.warm_up.course import Course
    from pytest_llem.energy.warm_up.load import Load

MOST_CHANGE_C = 3.0
"""Temperature may change by so much meanwhile. An assumption: leakage moves a card's power by
some tenths of a percent a degree, so that this is about one percent of power."""
STEP_C = 1.0
"""Sensors show whole degrees; a single step is no change."""
SILENT_NS = 3 * SECOND_NS
"""A device that gave nothing new for so long will not give anything."""
SPARE_S = 0.5
"""Looks come every quarter of a second: the first and the last lie so much closer."""
UNNAMED = "heat, a brake or a limit of its board"
"""What a device may have been slowed by that only its counters saw."""
LEAST_LOOKS = 3
"""Fewer looks at a temperature show no change."""


def settling(
    traces: Sequence[Trace], courses: Mapping[str, Course], load: Load, now_ns: int
) -> tuple[Criterion, ...]:
    """The criteria that are seen on devices, judged by what was read until now.

    Args:
        traces: of the devices.
        courses: of their energy since the load began, by their UUIDs.
        load: what runs on them.
        now_ns: what was read later is left out.
    """
    return (
        _power(traces, courses, load, now_ns),
        _temperature(traces, load, now_ns),
        _throttling(traces, load, now_ns),
    )


def _power(
    traces: Sequence[Trace], courses: Mapping[str, Course], load: Load, now_ns: int
) -> Criterion:
    if any(trace.device.capability.method == "estimated" for trace in traces):
        return _unseen("power", "an estimate from CPU time shows no power")
    silent = [trace.device.uuid for trace in traces if _silent(trace, now_ns)]
    if not silent:
        return power_drift(courses, load, now_ns)
    lost = f"{', '.join(silent)} could not be read"
    if len(silent) == len(traces):
        return _unseen("power", lost)
    heard = {uuid: course for uuid, course in courses.items() if uuid not in silent}
    found = power_drift(heard, load, now_ns)
    return found.model_copy(update={"reason": f"{found.reason}; {lost}"})


def _unseen(name: str, why: str) -> Criterion:
    return Criterion.model_validate({"name": name, "holds": None, "reason": why})


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


def _temperature(traces: Sequence[Trace], load: Load, now_ns: int) -> Criterion:
    """Whether no device grows warmer or colder but slowly.

    Looked at is the last quarter of the time, or longer where a step of the sensor would
    else be taken for a change that counts. A device of which no more than a step is seen may
    still have changed by nearly two, so that it has to be looked at for long enough.
    """
    horizon_s = load.horizon_s()
    least_ns = round((2 * STEP_C * horizon_s / MOST_CHANGE_C + SPARE_S) * SECOND_NS)
    look_ns = max((now_ns - load.start_ns) // 4, least_ns)
    first_ns = max(now_ns - look_ns, load.start_ns)
    seen = [_temperatures(trace, first_ns, now_ns) for trace in traces]
    known = [one for one in seen if one is not None]
    if not known:
        return _unseen("temperature", "no device tells its temperature, or too seldom")
    worst = max(known, key=lambda one: abs(one.change_c(horizon_s)))
    change_c = worst.change_c(horizon_s)
    return Criterion(
        name="temperature",
        holds=abs(change_c) <= MOST_CHANGE_C,
        value=change_c,
        limit=MOST_CHANGE_C,
        reason=f"temperature changed by {worst.range_c:.0f} °C in {worst.seconds:.1f} s, which "
        f"{'may be' if worst.stepped else 'is'} {change_c:+.1f} °C in {horizon_s:.3g} s, "
        f"{MOST_CHANGE_C:g} °C allowed",
    )


class _Temperatures(NamedTuple):
    """What some looks at a device's temperature show."""

    range_c: float
    """From the coldest to the warmest."""
    rate_c_per_s: float
    """From the first third of the looks to the last, in degrees a second."""
    seconds: float
    """From the first look to the last."""

    @property
    def stepped(self) -> bool:
        """Whether no more is seen than what the sensor cannot help."""
        return self.range_c <= STEP_C

    def change_c(self, horizon_s: float) -> float:
        """By how much it changes in so long, or may change if hardly a change is seen."""
        if self.stepped:
            return (self.range_c + STEP_C) / self.seconds * horizon_s
        return self.rate_c_per_s * horizon_s


def _temperatures(trace: Trace, first_ns: int, now_ns: int) -> _Temperatures | None:
    seen = [
        (fact.time_ns / SECOND_NS, fact.temperature_c)
        for fact in _facts(trace, first_ns, now_ns)
        if fact.temperature_c is not None and math.isfinite(fact.temperature_c)
    ]
    if len(seen) < LEAST_LOOKS or seen[0][0] == seen[-1][0]:
        return None
    third = len(seen) // LEAST_LOOKS
    (a_s, a_c), (b_s, b_c) = (
        tuple(map(fmean, zip(*part, strict=True))) for part in (seen[:third], seen[-third:])
    )
    shown_c = [degrees for _, degrees in seen]
    return _Temperatures(
        max(shown_c) - min(shown_c), (b_c - a_c) / (b_s - a_s), seen[-1][0] - seen[0][0]
    )


def _throttling(traces: Sequence[Trace], load: Load, now_ns: int) -> Criterion:
    """Whether nothing slowed a device that a card is not meant to be slowed by.

    Looked back is as long as the windows will take, but not to before the load: what
    comes again and again would come into them.
    """
    first_ns = max(now_ns - round(load.horizon_s() * SECOND_NS), load.start_ns)
    seen = [_facts(trace, first_ns, now_ns, before=1) for trace in traces]
    if not any(_tells(fact) for facts in seen for fact in facts):
        return _unseen("throttling", "no device tells whether it is throttled")
    said = [
        f"{trace.device.uuid} was slowed {when}"
        for trace, facts in zip(traces, seen, strict=True)
        for when in _slowed(facts, now_ns)
    ]
    return Criterion(
        name="throttling",
        holds=not said,
        value=float(len(said)),
        limit=0.0,
        reason="; ".join(said)
        or f"nothing slowed the devices in {(now_ns - first_ns) / SECOND_NS:.3g} s",
    )


def _tells(fact: Facts) -> bool:
    return fact.throttle_reasons is not None or fact.slowed_ns is not None


def _slowed(facts: Sequence[Facts], now_ns: int) -> list[str]:
    """By what a device was slowed, and how long ago."""
    latest: dict[str, int] = {}
    for a, b in pairwise(facts):
        if a.slowed_ns is not None and b.slowed_ns is not None and b.slowed_ns > a.slowed_ns:
            latest[UNNAMED] = b.time_ns
    for fact in facts:
        for reason in set(fact.throttle_reasons or ()) - HARMLESS:
            latest.pop(UNNAMED, None)
            latest[reason] = fact.time_ns
    return [
        f"{(now_ns - time_ns) / SECOND_NS:.1f} s ago: {reason}"
        for reason, time_ns in sorted(latest.items())
    ]


def _facts(trace: Trace, start_ns: int, end_ns: int, *, before: int = 0) -> list[Facts]:
    """Looks between two instants, after some from *before*."""
    facts = trace.facts[:]
    first = bisect_left(facts, start_ns, key=lambda fact: fact.time_ns)
    last = bisect_right(facts, end_ns, key=lambda fact: fact.time_ns)
    return facts[max(first - before, 0) : last]
