"""Readings that cannot be true, mended where that is honest, and named always."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.readings import Readings

RANGES_J = tuple(2.0**bits * unit for bits in (31, 32) for unit in (1e-6, 1e-3))
"""Where counters of micro- and millijoules wrap that are kept in 31 or 32 bits."""
NEAR_END = 0.02
"""A counter wraps only from this last share of its range into this first share."""
BRIEF = 8
"""Most readings in a row that may be one spike."""
IMPLAUSIBLE = 3.0
"""Times the power limit; excursions above the limit last milliseconds and reach twice it
(Intel and PCI-SIG allow cards 2 to 3 times for under a millisecond)."""
NO_LIMIT_W = 3000.0
"""Taken for the limit of a device that tells none; no single device draws as much."""
SLACK_S = 0.5
"""A counter may catch up so much time at once."""


class Note(NamedTuple):
    """Something that was wrong with a reading, and what was done about it."""

    time_ns: int
    text: str
    """``{when}`` stands for the time, in seconds into the window."""


class Repaired(NamedTuple):
    """Readings in which nothing impossible is left, except a counter that was reset."""

    readings: Readings
    notes: tuple[Note, ...]


def repaired(readings: Readings, most_w: float) -> Repaired:
    """Without spikes, and with counters that wrapped carried on.

    Args:
        readings: in order; a missing value is NaN.
        most_w: more than the device can draw, in watts.
    """
    energy_j, notes = _counter(readings, most_w)
    power_w, spikes = _power(readings, most_w)
    if not notes and not spikes:
        return Repaired(readings, ())
    mended = replace(readings, energy_j=energy_j, power_w=power_w)
    return Repaired(mended, (*notes, *spikes))


def implausible_w(limit_w: float | None) -> float:
    """More than a device of a power limit can draw over the time of a reading, in watts."""
    return IMPLAUSIBLE * (limit_w or NO_LIMIT_W)


def plausible(readings: Readings, first: int, second: int, most_w: float) -> bool:
    """Whether a counter may have gone from one reading's value to another's."""
    step_j = readings.energy_j[second] - readings.energy_j[first]
    return 0 <= step_j <= most_w * _gap_s(readings, first, second)


def _gap_s(readings: Readings, first: int, second: int) -> float:
    """The time in which a counter may have gone from one reading's value to another's."""
    return (readings.after_ns[second] - readings.before_ns[first]) / 1e9 + SLACK_S


def _counter(readings: Readings, most_w: float) -> tuple[Sequence[float], list[Note]]:
    """The counter's values, mended one after the other."""
    energy_j = list(readings.energy_j)
    mended = replace(readings, energy_j=energy_j)
    known = [i for i, value in enumerate(energy_j) if not math.isnan(value)]
    notes: list[Note] = []
    last: int | None = None
    place = 0
    while place < len(known):
        here = known[place]
        if last is not None and not plausible(mended, last, here, most_w):
            if range_j := _wrapped(mended, last, here, most_w):
                for i in known[place:]:
                    energy_j[i] += range_j
                notes.append(_wrap_note(readings.after_ns[here], range_j))
            elif spike := _spike(mended, last, known[place : place + BRIEF + 1], most_w):
                notes.append(_spike_note(mended, last, spike))
                for i in spike:
                    energy_j[i] = math.nan
                place += len(spike)
                continue
        last = here
        place += 1
    return (energy_j, notes) if notes else (readings.energy_j, [])


def _wrapped(readings: Readings, first: int, second: int, most_w: float) -> float | None:
    """The range at whose end a counter went from one reading's value to another's, if it did.

    One that was reset near the end of a range would have to have leapt to that end first.
    """
    before_j, after_j = readings.energy_j[first], readings.energy_j[second]
    most_j = most_w * _gap_s(readings, first, second)
    for range_j in RANGES_J:
        from_end = (1 - NEAR_END) * range_j <= before_j <= range_j
        to_start = 0 <= after_j <= NEAR_END * range_j
        if from_end and to_start and range_j + after_j - before_j <= most_j:
            return range_j
    return None


def _wrap_note(time_ns: int, range_j: float) -> Note:
    text = f"the energy counter wrapped at {range_j:.6g} J {{when}}; it was carried on"
    return Note(time_ns, text)


def _spike(readings: Readings, last: int, waiting: Sequence[int], most_w: float) -> Sequence[int]:
    """The next few readings, if the one after them belongs to the last again."""
    for length in range(1, min(BRIEF, len(waiting) - 1) + 1):
        if plausible(readings, last, waiting[length], most_w):
            return waiting[:length]
    return ()


def _spike_note(readings: Readings, last: int, spike: Sequence[int]) -> Note:
    leap_j = readings.energy_j[spike[0]] - readings.energy_j[last]
    text = (
        f"the energy counter leapt by {leap_j:.6g} J {{when}} and came back; "
        f"{_readings(len(spike))} left out"
    )
    return Note(readings.after_ns[spike[0]], text)


def _readings(count: int) -> str:
    return "1 reading" if count == 1 else f"{count} readings"


def _power(readings: Readings, most_w: float) -> tuple[Sequence[float], list[Note]]:
    wrong = [i for i, value in enumerate(readings.power_w) if value > most_w or value < 0]
    if not wrong:
        return readings.power_w, []
    power_w = list(readings.power_w)
    worst_w = max((power_w[i] for i in wrong), key=abs)
    for i in wrong:
        power_w[i] = math.nan
    text = (
        f"power readings of up to {worst_w:.6g} W {{when}}, more than the device can draw; "
        f"{_readings(len(wrong))} left out"
    )
    return power_w, [Note(readings.after_ns[wrong[0]], text)]
