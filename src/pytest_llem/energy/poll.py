"""When to look at a device: seldom, except around the instants at which it refreshes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.energy.trace import Trace

MS = 1_000_000
LEARN_FROM = 4
"""Refreshes to see before their period is taken for known."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Gaps between polls, in nanoseconds."""

    rest_ns: int = 70 * MS
    """While nothing is measured: about 14 Hz."""
    attend_ns: int = 40 * MS
    """Longest gap during a measurement: at least 20 Hz, with room for late wake-ups."""
    search_ns: int = 4 * MS
    """While the refresh period is being learnt."""
    search_slow_ns: int = 20 * MS
    """Widest gap of that search, for counters that refresh seldom."""
    search_limit_ns: int = 10_000 * MS
    """A counter that has not stepped for so long is not searched any further."""
    fine_ns: int = MS
    """Finest gap around an expected refresh."""
    chase_ns: int = 45 * MS
    """Refreshes closer together than this are not all chased; the rest follow from the phase."""
    continuous_ns: int = 6 * MS
    """A counter with a shorter period is taken as continuous and not chased at all."""


class PollSchedule:
    """Chooses the instants at which one device is polled.

    Pure: it reads no clock. Resting, it polls at a slow, even pace. Attending, it
    first polls evenly and fast until it has seen the counter refresh a few times,
    then follows the phase of the refreshes (a first-order phase-locked loop on
    their brackets) and polls finely only around the instants expected, with at
    most ``attend_ns`` between polls elsewhere.
    """

    def __init__(self, pace: Pace = Pace()) -> None:
        self._pace = pace
        self._attending = False
        self._seen = 0  # readings of the trace taken into account
        self._last: tuple[int, float] | None = None  # start and energy of the last known reading
        self._search_since_ns: int | None = None
        self._mids: list[float] = []  # refreshes seen during the search
        self._polls = 0  # readings with a counter during the search
        self._continuous = False
        self._period_ns: float | None = None
        self._phase_ns = 0.0  # the last refresh, as far as it is known
        self._aim_ns = 0.0  # the refresh that is being waited for
        self._spread_ns = 0.0  # typical distance of a refresh from its prediction

    @property
    def period_s(self) -> float | None:
        """Refresh period that is followed, in seconds; ``None`` while it is unknown."""
        return None if self._period_ns is None else self._period_ns / 1e9

    @property
    def continuous(self) -> bool:
        """Whether the counter changes at every look, as far as was seen."""
        return self._continuous

    @property
    def attending(self) -> bool:
        """Whether refreshes are followed."""
        return self._attending

    def attend(self, on: bool) -> None:
        """Follow the refreshes (``True``) or rest (``False``)."""
        if on and not self._attending:
            self._search(None)
        self._attending = on

    def next_poll(self, now_ns: int, readings: Trace) -> int:
        """The instant of the next poll, at *now_ns* or later.

        *readings* is the device's trace; what was appended since the last call is
        taken into account first.
        """
        self._catch_up(readings)
        if not self._attending:
            return now_ns + self._pace.rest_ns
        if self._last is None or self._continuous:
            return now_ns + self._pace.attend_ns
        if self._period_ns is None:
            return now_ns + self._search_gap_ns(now_ns)
        return self._follow(now_ns, self._period_ns)

    def _catch_up(self, readings: Trace) -> None:
        count = len(readings)
        for i in range(self._seen, count):
            if not math.isnan(energy_j := readings.energy_j[i]):
                self._take(readings.before_ns[i], readings.after_ns[i], energy_j)
        self._seen = count

    def _take(self, before_ns: int, after_ns: int, energy_j: float) -> None:
        previous, self._last = self._last, (before_ns, energy_j)
        self._polls += 1
        if previous is None or not self._attending:
            return
        if previous[1] != energy_j:
            if self._period_ns is None:
                self._learn((previous[0] + after_ns) / 2)
            else:
                self._lock(previous[0], after_ns, self._period_ns)
        elif self._period_ns is not None and before_ns - self._phase_ns > 4 * self._period_ns:
            self._search(before_ns)  # it has stopped, or refreshes otherwise than it did

    def _search(self, since_ns: int | None) -> None:
        self._search_since_ns, self._mids, self._polls = since_ns, [], 0
        self._period_ns, self._continuous = None, False

    def _search_gap_ns(self, now_ns: int) -> int:
        if self._search_since_ns is None:
            self._search_since_ns = now_ns
        elapsed_ns = now_ns - (self._mids[-1] if self._mids else self._search_since_ns)
        if elapsed_ns > self._pace.search_limit_ns:
            return self._pace.attend_ns
        return round(min(max(elapsed_ns / 50, self._pace.search_ns), self._pace.search_slow_ns))

    def _learn(self, mid_ns: float) -> None:
        self._mids.append(mid_ns)
        if len(self._mids) <= LEARN_FROM:
            return
        period_ns = median(b - a for a, b in zip(self._mids, self._mids[1:], strict=False))
        if period_ns < self._pace.continuous_ns:
            self._continuous = True
            return
        self._period_ns, self._phase_ns = period_ns, mid_ns
        self._aim_ns = mid_ns + self._stride * period_ns
        self._spread_ns = self._pace.search_ns / 2

    def _lock(self, earliest_ns: int, latest_ns: int, period_ns: float) -> None:
        """Correct phase and period by a refresh seen between two instants."""
        mid_ns = (earliest_ns + latest_ns) / 2
        steps = max(round((mid_ns - self._phase_ns) / period_ns), 1)
        expected_ns = self._phase_ns + steps * period_ns
        if latest_ns - earliest_ns > period_ns / 2:  # says little
            self._phase_ns = min(max(expected_ns, earliest_ns), latest_ns)
        else:
            inside = earliest_ns <= expected_ns <= latest_ns
            miss_ns, trust = mid_ns - expected_ns, 0.1 if inside else 0.4
            self._phase_ns = expected_ns + trust * miss_ns
            self._period_ns = period_ns + 0.1 * trust * miss_ns / steps
            self._spread_ns += 0.15 * ((0.0 if inside else abs(miss_ns)) - self._spread_ns)
        if self._phase_ns >= self._aim_ns - period_ns / 2:
            self._aim_ns = self._phase_ns + self._stride * period_ns

    @property
    def _stride(self) -> int:
        return max(math.ceil(self._pace.chase_ns / (self._period_ns or math.inf)), 1)

    def _follow(self, now_ns: int, period_ns: float) -> int:
        if now_ns > self._aim_ns + period_ns / 2:  # it was missed
            self._spread_ns *= 1.5
            self._aim_ns += math.ceil((now_ns - self._aim_ns) / period_ns) * period_ns
        wide_ns = min(max(2.5 * self._spread_ns, self._pace.fine_ns), period_ns / 4)
        ahead_ns = self._aim_ns - wide_ns - now_ns
        if ahead_ns <= 0:
            return round(now_ns + max(wide_ns / 3, self._pace.fine_ns))
        return round(now_ns + ahead_ns / math.ceil(ahead_ns / self._pace.attend_ns))
