"""When to look at a device: seldom, except around the instants at which it refreshes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.energy.sampling.trace import Trace

MS = 1_000_000
LEARN_FROM, LEARN_NS = 4, 400 * MS
"""Gaps between refreshes, and time, to see before their period is taken for known."""
CLOSE_NS = 6 * MS
"""Readings closer together than this tell whether a value runs continuously."""
CONTINUOUS = 0.15
"""It does if it is the same again in a smaller share of them, each after a change."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Steps of this share of a turn never come back to where they were, and spread evenly."""


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
    """A counter that has not moved for so long is not searched any further."""
    counter_ns: int = MS
    """Finest gap around an expected refresh of the counter."""
    power_ns: int = 3 * MS
    """Finest gap around an expected refresh of the power reading."""
    chase_ns: int = 45 * MS
    """Refreshes closer together than this are not all chased: the phase tells the others.
    Which, follows no rhythm, so that no load can stay in step with them."""


class Follower:
    """Follows the refreshes of one value: a phase-locked loop on their brackets."""

    def __init__(self, fine_ns: int, chase_ns: int) -> None:
        self._fine_ns, self._chase_ns = fine_ns, chase_ns
        self._turn = 0.0  # from 0 to 1, at every refresh that is chased another
        self._changed = False  # whether the last reading changed it, close to the one before
        self._same = 0.5  # share of close readings that repeat the one before
        self.forget()

    def forget(self) -> None:
        """Start learning anew."""
        self._last: tuple[int, float] | None = None  # start of the last reading, and its value
        self.period_ns: float | None = None
        """Time between refreshes; ``None`` while it is being learnt."""
        self._middles: list[float] = []
        self._phase_ns = 0.0  # the last refresh
        self._aim_ns = 0.0  # the refresh waited for
        self._spread_ns = 0.0  # how far refreshes fall outside their prediction

    @property
    def known(self) -> bool:
        """Whether any value was read at all."""
        return self._last is not None

    @property
    def continuous(self) -> bool:
        """Whether the value is new at every look."""
        return self._same < CONTINUOUS

    @property
    def last_seen_ns(self) -> float | None:
        """The last refresh seen while learning."""
        return self._middles[-1] if self._middles else None

    def take(self, before_ns: int, after_ns: int, value: float) -> None:
        """Account for one reading."""
        previous, self._last = self._last, (before_ns, value)
        if previous is None:
            return
        same = previous[1] == value
        close = after_ns - previous[0] < CLOSE_NS
        if close and (same or self._changed):
            self._same += 0.1 * (same - self._same)
        self._changed = close and not same
        if not same and self.period_ns is None:
            self._learn((previous[0] + after_ns) / 2, after_ns - previous[0])
        elif not same:
            self._lock(previous[0], after_ns)
        elif self.period_ns is not None and before_ns - self._phase_ns > 5 * self.period_ns:
            self.forget()

    def wait_ns(self, now_ns: int) -> float:
        """Time until the next poll that this value asks for; endless if it asks for none."""
        if self.period_ns is None or self.continuous:
            return math.inf
        if now_ns > self._aim_ns + self.period_ns / 2:  # it was missed
            self._spread_ns *= 1.5
            missed = math.ceil((now_ns - self._aim_ns) / self.period_ns)
            self._aim_ns += missed * self.period_ns
        wide_ns = min(max(2.5 * self._spread_ns, self._fine_ns), self.period_ns / 4)
        ahead_ns = self._aim_ns - wide_ns - now_ns
        return ahead_ns if ahead_ns > 0 else max(wide_ns / 3, self._fine_ns)

    def _learn(self, middle_ns: float, width_ns: int) -> None:
        self._middles.append(middle_ns)
        enough = len(self._middles) > LEARN_FROM and middle_ns - self._middles[0] >= LEARN_NS
        if not enough or self.continuous:
            return
        gaps = [b - a for a, b in pairwise(self._middles)]
        typical_ns = median(gaps)
        self.period_ns = sum(gaps) / sum(max(round(gap / typical_ns), 1) for gap in gaps)
        self._middles.clear()
        self._phase_ns, self._spread_ns = middle_ns, width_ns / 2
        self._aim_next()

    def _lock(self, earliest_ns: int, latest_ns: int) -> None:
        """Correct phase and period by a refresh that was seen between two instants."""
        period_ns = self.period_ns or 0.0
        middle_ns = (earliest_ns + latest_ns) / 2
        steps = max(round((middle_ns - self._phase_ns) / period_ns), 1)
        expected_ns = self._phase_ns + steps * period_ns
        if latest_ns - earliest_ns > period_ns / 2:  # says little
            self._phase_ns = min(max(expected_ns, earliest_ns), latest_ns)
        else:
            inside = earliest_ns <= expected_ns <= latest_ns
            miss_ns, trust = middle_ns - expected_ns, 0.1 if inside else 0.4
            self._phase_ns = expected_ns + trust * miss_ns
            self.period_ns = period_ns + 0.1 * trust * miss_ns / steps
            self._spread_ns += 0.15 * ((0.0 if inside else abs(miss_ns)) - self._spread_ns)
        if self._phase_ns >= self._aim_ns - period_ns / 2:
            self._aim_next()

    def _aim_next(self) -> None:
        period_ns = self.period_ns or 0.0
        self._turn = (self._turn + GOLDEN) % 1
        stride = max(math.ceil(self._chase_ns / period_ns - self._turn), 1)
        self._aim_ns = self._phase_ns + stride * period_ns


class PollSchedule:
    """Chooses the instants at which one device is polled.

    Pure: it reads no clock. Resting, it polls at a slow, even pace. Attending, it
    first polls evenly and fast until it has seen the counter refresh a few times,
    then finely only around the instants at which counter and power reading are
    expected to refresh, with at most ``attend_ns`` between polls elsewhere.
    """

    def __init__(self, pace: Pace = Pace()) -> None:
        self._pace = pace
        self._attending = False
        self._seen = 0  # readings of the trace taken into account
        self._call_ns = 0.0  # typical duration of a reading
        self._search_since_ns: int | None = None
        self._counter = Follower(pace.counter_ns, pace.chase_ns)
        self._power = Follower(pace.power_ns, pace.chase_ns)

    @property
    def period_s(self) -> float | None:
        """Observed refresh period of the counter in seconds; ``None`` while it is unknown."""
        if self._counter.period_ns is None or self._counter.continuous:
            return None
        return self._counter.period_ns / 1e9

    @property
    def continuous(self) -> bool:
        """Whether the counter changes at every look, as far as was seen."""
        return self._counter.known and self._counter.continuous

    @property
    def attending(self) -> bool:
        """Whether refreshes are followed."""
        return self._attending

    def attend(self, on: bool) -> None:
        """Follow the refreshes (``True``) or rest (``False``)."""
        if on and not self._attending:
            self._search_since_ns = None
            self._counter.forget()
            self._power.forget()
        self._attending = on

    def next_poll(self, now_ns: int, readings: Trace) -> int:
        """The instant of the next poll, later than *now_ns*.

        *readings* is the device's trace; what was appended since the last call is
        taken into account first.
        """
        self._catch_up(readings)
        if not self._attending:
            return now_ns + self._pace.rest_ns
        asked_ns = [self._counter.wait_ns(now_ns), self._power.wait_ns(now_ns)]
        wait_ns = min([*asked_ns, self._search_wait_ns(now_ns)])
        parts = math.ceil(wait_ns / self._pace.attend_ns)
        return round(now_ns + max(wait_ns / parts, self._call_ns))

    def _catch_up(self, readings: Trace) -> None:
        count = len(readings)
        for i in range(self._seen, count):
            before_ns, after_ns = readings.before_ns[i], readings.after_ns[i]
            self._call_ns += 0.1 * (min(after_ns - before_ns, self._pace.search_ns) - self._call_ns)
            if not self._attending:
                continue
            if not math.isnan(energy_j := readings.energy_j[i]):
                self._counter.take(before_ns, after_ns, energy_j)
            if not math.isnan(power_w := readings.power_w[i]):
                self._power.take(before_ns, after_ns, power_w)
        self._seen = count

    def _search_wait_ns(self, now_ns: int) -> float:
        """Time to the next poll as far as the search for the counter's period goes."""
        counter, pace = self._counter, self._pace
        if not counter.known or counter.period_ns is not None or counter.continuous:
            return pace.attend_ns
        if self._search_since_ns is None:
            self._search_since_ns = now_ns
        elapsed_ns = now_ns - (counter.last_seen_ns or self._search_since_ns)
        if elapsed_ns > pace.search_limit_ns:
            return pace.attend_ns
        return min(max(elapsed_ns / 50, pace.search_ns), pace.search_slow_ns)
