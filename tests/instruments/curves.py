"""Power curves whose energy is known exactly: the truth that instruments are held against.

Times are absolute ``CLOCK_MONOTONIC`` nanoseconds (``time.monotonic_ns``) as integers;
every curve counts from its own ``origin_ns`` and is defined for all times, before the
origin too. Energies are closed forms over integer time arithmetic, so that a window of
a millisecond is as exact after a week of uptime as at the start (relative error below
1e-12). ``script()`` says the same curve to ``driver/curve.c``, which integrates by
different formulas; the tests hold the two against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from instruments.curve import SECOND_NS, Curve
from instruments.pieces import Piece, Pieces
from instruments.spelling import spell_ns

__all__ = ["Constant", "Curve", "Piece", "Pieces", "Ramp", "Sine", "Square", "Sum"]


@dataclass(frozen=True, slots=True)
class Constant(Curve):
    """The same power for ever."""

    watts: float

    def power_w(self, t_ns: int) -> float:
        return self.watts

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        return self.watts * (end_ns - start_ns) / SECOND_NS

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        return self.watts

    def script(self) -> str:
        return f"curve constant {self.watts!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Square(Curve):
    """High, then low, repeated; at the origin the curve is ``phase_ns`` into a period."""

    low_w: float
    high_w: float
    period_ns: int
    duty: float = 0.5
    """Share of a period that is high; rounded to whole nanoseconds."""
    phase_ns: int = 0
    origin_ns: int = 0

    @property
    def high_ns(self) -> int:
        return round(self.duty * self.period_ns)

    def power_w(self, t_ns: int) -> float:
        return self.high_w if self._into_period(t_ns) < self.high_ns else self.low_w

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        high = self._high_until(end_ns) - self._high_until(start_ns)
        low = (end_ns - start_ns) - high
        return (self.high_w * high + self.low_w * low) / SECOND_NS

    def script(self) -> str:
        return self._pieces().script()

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        return self._pieces().lagged_w(t_ns, lag_ns)

    def _pieces(self) -> Pieces:
        parts = ((self.high_ns, self.high_w), (self.period_ns - self.high_ns, self.low_w))
        pieces = tuple(Piece(length_ns, watts) for length_ns, watts in parts if length_ns)
        return Pieces(pieces, self.origin_ns - self.phase_ns)

    def _into_period(self, t_ns: int) -> int:
        return (t_ns - self.origin_ns + self.phase_ns) % self.period_ns

    def _high_until(self, t_ns: int) -> int:
        """Nanoseconds spent high, counted from the period that holds the origin."""
        whole = (t_ns - self.origin_ns + self.phase_ns) // self.period_ns
        return whole * self.high_ns + min(self._into_period(t_ns), self.high_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(Curve):
    """``start_w`` until the origin, linear for ``duration_ns``, ``end_w`` ever after."""

    start_w: float
    end_w: float
    duration_ns: int
    origin_ns: int = 0

    def power_w(self, t_ns: int) -> float:
        share = min(max((t_ns - self.origin_ns) / self.duration_ns, 0.0), 1.0)
        return self.start_w + (self.end_w - self.start_w) * share

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        if end_ns < start_ns:
            return -self.energy_j(end_ns, start_ns)
        top_ns = self.origin_ns + self.duration_ns
        before = max(min(end_ns, self.origin_ns) - start_ns, 0)
        after = max(end_ns - max(start_ns, top_ns), 0)
        inside = (end_ns - start_ns) - before - after
        rising = 0.0
        if inside > 0:
            first, last = max(start_ns, self.origin_ns), min(end_ns, top_ns)
            rising = (self.power_w(first) + self.power_w(last)) / 2 * inside
        return (self.start_w * before + rising + self.end_w * after) / SECOND_NS

    def script(self) -> str:
        times = f"over={spell_ns(self.duration_ns)} from={spell_ns(self.origin_ns)}"
        return f"curve ramp {self.start_w!r} {self.end_w!r} {times}"

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        into_ns = min(max(t_ns - self.origin_ns, 0), self.duration_ns)
        above_ns = max(t_ns - self.origin_ns - self.duration_ns, 0)
        rise = Piece(self.duration_ns, self.start_w, self.end_w)
        fade = math.exp(-above_ns / lag_ns)
        rising_w = rise.lagged_w(0, into_ns, lag_ns) * fade
        before_w = self.start_w * math.exp(-into_ns / lag_ns) * fade
        return before_w + rising_w - self.end_w * math.expm1(-above_ns / lag_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sine(Curve):
    """``middle_w`` plus a sine; at the origin it is ``phase_ns`` into a period."""

    middle_w: float
    amplitude_w: float
    period_ns: int
    phase_ns: int = 0
    origin_ns: int = 0

    def power_w(self, t_ns: int) -> float:
        into = (t_ns - self.origin_ns + self.phase_ns) % self.period_ns
        return self.middle_w + self.amplitude_w * math.sin(math.tau * into / self.period_ns)

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        # cos a - cos b = 2 sin((a+b)/2) sin((b-a)/2): no difference of large numbers.
        length = end_ns - start_ns
        ends = start_ns + end_ns + 2 * (self.phase_ns - self.origin_ns)
        wave_ns = self.period_ns / math.pi * self._sine(ends) * self._sine(length)
        return (self.middle_w * length + self.amplitude_w * wave_ns) / SECOND_NS

    def script(self) -> str:
        times = (
            f"period={spell_ns(self.period_ns)} shift={spell_ns(self.phase_ns - self.origin_ns)}"
        )
        return f"curve sine {self.middle_w!r} {self.amplitude_w!r} {times}"

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        late = math.tau * lag_ns / self.period_ns
        into = (t_ns - self.origin_ns + self.phase_ns) % self.period_ns
        wave = math.sin(math.tau * into / self.period_ns - math.atan(late))
        return self.middle_w + self.amplitude_w / math.hypot(1, late) * wave

    def _sine(self, ns: int) -> float:
        """sin(pi · ns / period), by whole numbers as far as they go."""
        return math.sin(math.pi * (ns % (2 * self.period_ns)) / self.period_ns)


@dataclass(frozen=True, slots=True)
class Sum(Curve):
    """Several curves at once, such as a wave upon a ramp."""

    parts: tuple[Curve, ...]

    def power_w(self, t_ns: int) -> float:
        return math.fsum(part.power_w(t_ns) for part in self.parts)

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        return math.fsum(part.energy_j(start_ns, end_ns) for part in self.parts)

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        return math.fsum(part.lagged_w(t_ns, lag_ns) for part in self.parts)

    def script(self) -> str:
        return "\n".join(part.script() for part in self.parts)
