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
UNSEEN_NS = 500_000_000
"""For how long the first value that was read may have stood."""
LATE_NS = 20_000_000
"""A value may be of a little before or after its call."""


class Note(NamedTuple):
    """Something that was wrong with a reading, and what was done about it."""

    time_ns: int
    text: str
    """``{when}`` stands for the time, in seconds into the window."""
    leap_j: float = 0.0
    """How far the counter was off, where it came back; such notes are told together."""
    left_out: int = 0
    """Readings left out for it."""


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


def implausible_steps(readings: Readings, most_w: float) -> list[int]:
    """Numbers of the readings to whose value the counter cannot have gone from the one before.

    Args:
        readings: that all gave an energy.
        most_w: more than the device can draw, in watts.
    """
    course = Course(readings, most_w)
    found = []
    for number in range(len(readings)):
        if not course.may_go_to(number):
            found.append(number)
        course.go_to(number)
    return found


def said_of_step(before_j: float, after_j: float) -> str:
    """What is wrong with a counter that cannot have gone from one value to another."""
    values = f"from {before_j:.3f} J to {after_j:.3f} J"
    if after_j < before_j:
        return f"the energy counter went backwards {values} (a reset)"
    return f"the energy counter leapt {values}, more than the device can use"


class Course:
    """What a counter may show next: since it last refreshed, no more than the device can draw."""

    def __init__(self, readings: Readings, most_w: float) -> None:
        self._readings, self._most_w = readings, most_w
        self.last: int | None = None
        """The reading whose value the counter has."""
        self._since_ns = 0  # it refreshed to that value after this

    def may_go_to(self, number: int, carried_j: float = 0.0) -> bool:
        """Whether it may show a reading's value next, with *carried_j* added."""
        if self.last is None:
            return True
        energy_j = self._readings.energy_j
        step_j = energy_j[number] + carried_j - energy_j[self.last]
        seconds = (self._readings.after_ns[number] + LATE_NS - self._since_ns) / 1e9
        return 0 <= step_j <= self._most_w * seconds

    def go_to(self, number: int) -> None:
        """Let it have a reading's value."""
        last, energy_j = self.last, self._readings.energy_j
        if last is None:
            self._since_ns = self._readings.before_ns[number] - UNSEEN_NS
        elif energy_j[number] != energy_j[last]:
            self._since_ns = self._readings.before_ns[last]
        self.last = number


def _counter(readings: Readings, most_w: float) -> tuple[Sequence[float], list[Note]]:
    """The counter's values, mended one after the other."""
    energy_j = list(readings.energy_j)
    mended = replace(readings, energy_j=energy_j)
    known = [i for i, value in enumerate(energy_j) if not math.isnan(value)]
    course, notes, place = Course(mended, most_w), list[Note](), 0
    while place < len(known):
        here, last = known[place], course.last
        if last is not None and not course.may_go_to(here):
            if range_j := _wrapped(mended, course, here):
                for i in known[place:]:
                    energy_j[i] += range_j
                notes.append(_wrap_note(readings.after_ns[here], range_j))
            else:
                spike = _spike(mended, course, known[place : place + BRIEF + 1])
                begins = not notes and place <= BRIEF and not 0 < len(spike) <= place
                if begins:
                    leap_j = energy_j[last] - energy_j[here]
                    notes.append(_start_note(readings.after_ns[last], leap_j, place))
                    _leave_out(energy_j, known[:place])
                    course = Course(mended, most_w)
                elif spike:
                    leap_j = energy_j[spike[0]] - energy_j[last]
                    notes.append(_spike_note(readings.after_ns[spike[0]], leap_j, len(spike)))
                    _leave_out(energy_j, spike)
                    place += len(spike)
                    continue
        course.go_to(here)
        place += 1
    return (energy_j, notes) if notes else (readings.energy_j, [])


def _leave_out(energy_j: list[float], numbers: Sequence[int]) -> None:
    for i in numbers:
        energy_j[i] = math.nan


def _wrapped(readings: Readings, course: Course, here: int) -> float | None:
    """The range at whose end a counter went to a reading's value, if it did.

    One that was reset near the end of a range would have to have leapt to that end first.
    """
    if course.last is None:
        return None
    before_j, after_j = readings.energy_j[course.last], readings.energy_j[here]
    for range_j in RANGES_J:
        from_end = (1 - NEAR_END) * range_j <= before_j <= range_j
        to_start = 0 <= after_j <= NEAR_END * range_j
        if from_end and to_start and course.may_go_to(here, range_j):
            return range_j
    return None


def _wrap_note(time_ns: int, range_j: float) -> Note:
    text = f"the energy counter wrapped at {range_j:.6g} J {{when}}; it was carried on"
    return Note(time_ns, text)


def _spike(readings: Readings, course: Course, waiting: Sequence[int]) -> Sequence[int]:
    """The next few readings, if the one after them belongs to the last again.

    After one that leapt up for good, others only seem to, once the device could have used as much.
    """
    energy_j = readings.energy_j
    up = course.last is not None and energy_j[waiting[0]] > energy_j[course.last]
    for length in range(1, min(BRIEF, len(waiting) - 1) + 1):
        back = not up or energy_j[waiting[length]] < energy_j[waiting[0]]
        if back and course.may_go_to(waiting[length]):
            return waiting[:length]
    return ()


def _spike_note(time_ns: int, leap_j: float, count: int) -> Note:
    text = (
        f"the energy counter leapt by {leap_j:.6g} J {{when}} and came back; "
        f"{readings_said(count)} left out"
    )
    return Note(time_ns, text, leap_j, count)


def _start_note(time_ns: int, leap_j: float, count: int) -> Note:
    text = f"the energy counter began {leap_j:+.6g} J off {{when}}; {readings_said(count)} left out"
    return Note(time_ns, text)


def readings_said(count: int) -> str:
    """How many readings, in words."""
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
        f"{readings_said(len(wrong))} left out"
    )
    return power_w, [Note(readings.after_ns[wrong[0]], text)]
