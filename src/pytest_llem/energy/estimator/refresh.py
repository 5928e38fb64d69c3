"""When a device refreshed what it shows: seen between two polls, narrowed by its neighbours."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from math import hypot, sqrt
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.grid import numbered, phase_grid, regular_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.grid import Grid

NEIGHBOURS = 8
"""Refreshes on either side that help to place one."""
CUT = 1.5
"""A counter is taken to refresh at least once in so many periods."""
LEAST_HALF_NS = 50_000.0
"""No refresh is taken to be known better than this: half a wake-up of the poller."""
FEW = 5
"""So many refreshes at least are taken to be seen well."""
MOST_PARTS = 6
"""The closest two refreshes that were seen well are no more periods apart."""
CLOSE = 6.5
"""In longer gaps than so many periods a guess of the period is too far off to be tried."""
JITTER = 0.005
"""Refreshes of a regular device may be off by so much of a period."""
MIDDLE = 0.5
"""Share of a poll, in its middle, in which its value is taken: it takes time to reach the driver
and to come back."""
USUAL_CALL = 2.0
"""Polls that took longer than usual by more than this factor were held up somewhere."""
ALMOST_ALL = 0.99
"""Share of gaps that are whole numbers of periods where a period goes into all."""


class Refresh(NamedTuple):
    """A new value, first seen by the poll that ended at ``latest_ns``."""

    earliest_ns: int
    """Start of the last poll that still gave the value before."""
    latest_ns: int
    """End of the first poll that gave this value."""
    value: float
    earliest_call_ns: int = 0
    """How long the former poll took, at some instant of which the value was taken."""
    latest_call_ns: int = 0
    """How long the latter took."""

    @property
    def middle_ns(self) -> float:
        return (self.earliest_ns + self.latest_ns) / 2

    @property
    def width_ns(self) -> int:
        return self.latest_ns - self.earliest_ns

    def span_ns(self, usual_ns: float) -> tuple[int, int]:
        """From the middle of the one poll to that of the other, but for polls that took longer."""
        first, last = self.earliest_ns, self.latest_ns
        if self.earliest_call_ns <= usual_ns:
            first += self.earliest_call_ns // 2
        if self.latest_call_ns <= usual_ns:
            last -= self.latest_call_ns // 2
        return first, last


class Placed(NamedTuple):
    """A value and the instant from which it holds."""

    time_ns: float
    half_ns: float
    """The instant lies within ``time_ns ± half_ns``, anywhere with the same chance."""
    value: float
    misplaced_ns: tuple[float, float] | None = None
    """Standard deviations of the instant that it shares with all others on a regular grid,
    each with a sign; ``None`` if it lies on none."""
    jitter_ns: float = 0.0
    """Standard deviation of its own about the grid."""


def observe(
    before_ns: Sequence[int], after_ns: Sequence[int], values: Sequence[float]
) -> list[Refresh]:
    """The changes among readings, in order; NaN readings are passed over."""
    seen: list[Refresh] = []
    last: tuple[int, int, float] | None = None
    for before, after, value in zip(before_ns, after_ns, values, strict=True):
        if math.isnan(value):
            continue
        if last is not None and value != last[2]:
            seen.append(Refresh(last[0], after, value, last[1] - last[0], after - before))
        last = (before, after, value)
    return seen


def narrow(refreshes: Sequence[Refresh]) -> list[Refresh]:
    """Those that were seen well, compared with the best eighth of them.

    No more than that: where driver calls are slow, most brackets are as wide as a call.
    """
    if not refreshes:
        return []
    widths_ns = sorted(refresh.width_ns for refresh in refreshes)
    rank = min(max(len(widths_ns) // 8, FEW), len(widths_ns)) - 1
    return [refresh for refresh in refreshes if refresh.width_ns <= 4 * widths_ns[rank]]


def observed_period_ns(refreshes: Sequence[Refresh]) -> float | None:
    """Time from one refresh to the next; ``None`` if fewer than three were seen well.

    A value may happen to stay the same, a refresh be missed, or only some be chased: that
    makes a gap a multiple of the period. The longest time is taken that goes into all gaps,
    as well as they are known; where none does, refreshes jitter, and their shortest gaps
    are the period. Then longer and longer gaps are counted in whole periods, as the guess
    gets better.
    """
    gaps = [_Gap.between(a, b) for a, b in pairwise(narrow(refreshes))]
    if len(gaps) < 2:  # noqa: PLR2004 - quantiles need two
        return None
    lengths = [gap.length_ns for gap in gaps]
    low_ns, middle_ns, _ = quantiles(lengths, n=4)
    near = [length for length in lengths if 0.6 * low_ns < length < 1.4 * low_ns]
    shortest_ns = fmean(near) if near else median(lengths)
    parts = [part / n for part in (low_ns, middle_ns) for n in range(1, MOST_PARTS + 1)]
    guesses = sorted((_counted_ns(gaps, part, CLOSE) for part in parts), reverse=True)
    period_ns = next((one for one in guesses if _goes_into(one, gaps)), shortest_ns)
    for longest in (2.5, 4.5, 8.5, 16.5):
        period_ns = _counted_ns(gaps, period_ns, longest)
    return period_ns


class _Gap(NamedTuple):
    """Time between two refreshes."""

    length_ns: float
    unsure_ns: float
    """It is known to so much either way."""

    @classmethod
    def between(cls, a: Refresh, b: Refresh) -> _Gap:
        return cls(b.middle_ns - a.middle_ns, (a.width_ns + b.width_ns) / 2)


def _counted_ns(gaps: Sequence[_Gap], period_ns: float, longest: float) -> float:
    """The period, by counting gaps up to so many periods in whole ones."""
    near = [gap.length_ns for gap in gaps if gap.length_ns < longest * period_ns]
    if not near:
        return period_ns
    return sum(near) / sum(max(round(length / period_ns), 1) for length in near)


def _goes_into(period_ns: float, gaps: Sequence[_Gap]) -> bool:
    """Whether almost all gaps that are not too long may be whole numbers of periods."""
    close = [gap for gap in gaps if gap.length_ns < CLOSE * period_ns]
    whole = sum(
        abs(gap.length_ns - round(gap.length_ns / period_ns) * period_ns)
        <= gap.unsure_ns + JITTER * period_ns
        for gap in close
    )
    return whole >= ALMOST_ALL * len(close) and 2 * len(close) > len(gaps)


class Refreshes:
    """The refreshes of one column of a trace, placed in time as well as can be.

    A refresh is bracketed by two polls. Where refreshes are regular, those around
    it narrow the bracket: a straight line is fitted through the middles of up to
    ``NEIGHBOURS`` brackets on either side, and what is left is the stretch of
    phases that all of them allow. Where no phase suits all, refreshes jitter: then
    the own bracket stands, cut at twice the scatter around the line. Where one grid
    suits all refreshes, it places them all.

    Args:
        refreshes: in order.
        period_ns: time between refreshes, where it is known from more than these.
        exact: whether it is known exactly.
    """

    def __init__(
        self, refreshes: Sequence[Refresh], period_ns: float | None = None, *, exact: bool = False
    ) -> None:
        self.period_ns = period_ns or observed_period_ns(refreshes)
        self._widest_ns = max((seen.width_ns for seen in narrow(refreshes)), default=0)
        cut = [self._cut(refresh) for refresh in self._without_stray(refreshes)]
        self._refreshes = _apart(cut)
        self._middles = [refresh.middle_ns for refresh in self._refreshes]
        self._placed: dict[int, Placed] = {}
        if self.period_ns is not None:
            self._snap(self._grid(self.period_ns, exact=exact))

    def __len__(self) -> int:
        return len(self._refreshes)

    def last_before(self, t_ns: float) -> int:
        """Number of the last refresh at or before *t_ns*; -1 if there is none."""
        number = bisect_right(self._middles, t_ns) - 1
        for near in (number + 1, number, number - 1):
            if 0 <= near < len(self) and self[near].time_ns <= t_ns:
                return near
        return -1

    def __getitem__(self, number: int) -> Placed:
        if number not in self._placed:
            self._placed[number] = self._place(number)
        return self._placed[number]

    def _grid(self, period_ns: float, *, exact: bool) -> Grid | None:
        """The grid that all brackets allow.

        Polls of the same length are taken to read the value at the same share of their time.
        Where all brackets then allow a grid, that share is the only thing unknown of the
        polls, and it misplaces all refreshes alike.
        """
        calls_ns = [seen.latest_call_ns for seen in self._refreshes]
        usual_ns = median(calls_ns) if calls_ns else 0.0
        spans = [seen.span_ns(USUAL_CALL * usual_ns) for seen in self._refreshes]
        grid = regular_grid(numbered(spans, period_ns), period_ns)
        if grid is not None:
            return grid._replace(unsure_ns=hypot(grid.unsure_ns, MIDDLE * usual_ns / sqrt(12)))
        spans = [seen.span_ns(0) for seen in self._refreshes]
        brackets = numbered(spans, period_ns)
        grid = regular_grid(brackets, period_ns)
        return phase_grid(brackets, period_ns) if grid is None and exact else grid

    def _snap(self, grid: Grid | None) -> None:
        """Place each refresh on the last instant of its grid that its own bracket holds.

        Unless that lies in the very call that gave the value, and the bracket holds the
        instant before it too: the value may be of either.
        """
        if grid is None:
            return
        taken: int | None = None
        for i, own in enumerate(self._refreshes):
            if self._either(own, grid):
                continue
            half_ns = grid.half_ns(grid.last_before(own.latest_ns))
            number = grid.last_before(own.latest_ns + half_ns)
            time_ns = grid.instant_ns(number)
            if (taken is None or number > taken) and time_ns >= own.earliest_ns - half_ns:
                shared_ns = grid.misplaced_ns(number)
                self._placed[i] = Placed(time_ns, half_ns, own.value, shared_ns, grid.jitter_ns)
                taken = number

    @staticmethod
    def _either(own: Refresh, grid: Grid) -> bool:
        """Whether a call took so long that its value may be of one of two refreshes."""
        called_ns = own.latest_ns - own.latest_call_ns
        before = grid.last_before(called_ns)
        held = grid.instant_ns(before) > own.earliest_ns
        return held and grid.last_before(own.latest_ns) > before

    def _without_stray(self, refreshes: Sequence[Refresh]) -> list[Refresh]:
        """Without those seen badly between others seen well, where only some are chased."""
        near_ns = 0.7 * (self.period_ns or 0.0)

        def stray(number: int) -> bool:
            own = refreshes[number]
            if own.width_ns <= self._widest_ns:
                return False
            beside = refreshes[max(number - 2, 0) : number + 3]
            return any(
                other.width_ns <= self._widest_ns and abs(other.middle_ns - own.middle_ns) < near_ns
                for other in beside
            )

        return [refresh for i, refresh in enumerate(refreshes) if not stray(i)]

    def _cut(self, refresh: Refresh) -> Refresh:
        """A value that came in a long pause between polls came with the pause's last refresh."""
        if self.period_ns is None:
            return refresh
        longest_ns = round(CUT * self.period_ns) + refresh.latest_call_ns
        if refresh.width_ns <= longest_ns:
            return refresh
        return refresh._replace(earliest_ns=refresh.latest_ns - longest_ns, earliest_call_ns=0)

    def _place(self, number: int) -> Placed:
        own = self._refreshes[number]
        low_ns, high_ns = self._allowed(number)
        rim_ns = 0.02 * own.width_ns  # keeps refreshes in order
        first_ns, last_ns = own.earliest_ns + rim_ns, own.latest_ns - rim_ns
        low_ns, high_ns = max(low_ns, first_ns), min(high_ns, last_ns)
        if low_ns > high_ns:
            low_ns, high_ns = first_ns, last_ns
        half_ns = max((high_ns - low_ns) / 2, LEAST_HALF_NS)
        return Placed((low_ns + high_ns) / 2, half_ns, own.value)

    def _allowed(self, number: int) -> tuple[float, float]:
        """From when to when the refresh may have been, judged by those around it."""
        points = self._neighbourhood(number)
        if len(points) < 4:  # noqa: PLR2004 - a line and its scatter
            return -math.inf, math.inf
        origin_ns = points[0][1].middle_ns
        offset, slope = _line([(x, r.middle_ns - origin_ns) for x, r in points])
        expected = [origin_ns + offset + slope * x for x, _ in points]
        low = max(r.earliest_ns - e for e, (_, r) in zip(expected, points, strict=True))
        high = min(r.latest_ns - e for e, (_, r) in zip(expected, points, strict=True))
        here_ns = origin_ns + offset
        if low <= high:
            return here_ns + low, here_ns + high
        misses = [r.middle_ns - e for e, (_, r) in zip(expected, points, strict=True)]
        scatter_ns = math.sqrt(fmean(miss * miss for miss in misses))
        return here_ns - 2 * scatter_ns, here_ns + 2 * scatter_ns

    def _neighbourhood(self, number: int) -> list[tuple[int, Refresh]]:
        """Narrowly seen refreshes around one, with their distance in whole periods."""
        if self.period_ns is None:
            return []
        first = max(number - NEIGHBOURS, 0)
        around = self._refreshes[first : number + NEIGHBOURS + 1]
        here_ns = self._middles[number]
        return [
            (round((refresh.middle_ns - here_ns) / self.period_ns), refresh)
            for refresh in around
            if refresh.width_ns <= min(self._widest_ns, self.period_ns / 2)
        ]


def _apart(refreshes: list[Refresh]) -> list[Refresh]:
    """Brackets without overlap: where both ends of one reading are used, its middle is."""
    for i, (a, b) in enumerate(pairwise(refreshes)):
        if b.earliest_ns < a.latest_ns:
            middle_ns = (b.earliest_ns + a.latest_ns) // 2
            refreshes[i] = refreshes[i]._replace(latest_ns=middle_ns, latest_call_ns=0)
            refreshes[i + 1] = b._replace(earliest_ns=middle_ns, earliest_call_ns=0)
    return refreshes


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Offset at zero and slope of the least-squares line."""
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return mean_y, 0.0
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return mean_y - slope * mean_x, slope
