"""Values of the double that change over time: temperature, clocks, limits, throttle bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from instruments.spelling import spell_ns


@dataclass(frozen=True, slots=True)
class Step:
    """From ``at_ns`` on, the value goes to ``value``, evenly over ``over_ns``."""

    at_ns: int
    value: float
    over_ns: int = 0


@dataclass(frozen=True, slots=True)
class Course:
    """A value from the beginning, and its steps in order of time (``CLOCK_MONOTONIC``)."""

    first: float
    steps: tuple[Step, ...] = ()

    def at(self, t_ns: int) -> float:
        """The value at an instant. A step that begins during another takes over from there."""
        value, aim = self.first, Step(0, self.first)
        for step in self.steps:
            if step.at_ns > t_ns:
                break
            value, aim = _towards(value, aim, step.at_ns), step
        return _towards(value, aim, t_ns)

    def bits_ns(self, mask: int, start_ns: int, end_ns: int) -> int:
        """How long any bit of *mask* is set between two instants, for values that are bits."""
        ends = [start_ns, *(s.at_ns for s in self.steps if start_ns < s.at_ns < end_ns), end_ns]
        return sum(b - a for a, b in pairwise(ends) if int(self.at(a)) & mask)

    def script(self, key: str, origin_ns: int) -> list[str]:
        lines = [f"{key} {self.first:.0f}"]
        for step in self.steps:
            over = f" over={spell_ns(step.over_ns)}" if step.over_ns else ""
            at = spell_ns(step.at_ns - origin_ns)
            lines.append(f"set {key} {step.value!r} at={at}{over}")
        return lines


def course(value: float | Course) -> Course:
    """A course that stays at *value*, or the course itself."""
    return value if isinstance(value, Course) else Course(value)


def pulses(first: int, value: int, *spans_ns: tuple[int, int]) -> Course:
    """A course that is *value* in each span (start, end) and *first* otherwise."""
    steps = [step for a, b in spans_ns for step in (Step(a, value), Step(b, first))]
    return replace(Course(first), steps=tuple(steps))


def _towards(value: float, aim: Step, t_ns: int) -> float:
    if not aim.over_ns or t_ns >= aim.at_ns + aim.over_ns:
        return aim.value
    return value + (aim.value - value) * ((t_ns - aim.at_ns) / aim.over_ns)
