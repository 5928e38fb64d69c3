"""The instants of refreshes, as well as their brackets and their neighbours tell them."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cached_property
from itertools import pairwise, zip_longest
from statistics import NormalDist, fmean, median
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.line import fitted_line
from pytest_llem.energy.estimator.refreshes.allowed import (
    UNSHOWN,
    answered_grid,
    jittering_grid,
    phase_grid,
    regular_grid,
)
from pytest_llem.energy.estimator.refreshes.grid import USABLE, Bracket, numbered
from pytest_llem.energy.estimator.refreshes.refresh import Placed, narrow, observed_period_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.estimator.refreshes.grid import Grid
    from pytest_llem.energy.estimator.refreshes.refresh import Refresh

NEIGHBOURS = 8
"""Refreshes on either side that help to place one."""
CUT = 1.5
"""A counter is taken to refresh at least once in so many periods."""
LEAST_HALF_NS = 50_000.0
"""No refresh is taken to be known better than this: half a wake-up of the poller."""
WILD = 0.1
"""Refreshes that scatter by more of a period about a line do not tell when one is due."""
NEAR = 3.2
"""Values no more periods apart tell enough of what is between them."""
LEAST_POINTS = 4
"""Fewer do not show a line and how they scatter about it."""
LEAST_HELD = 1e-4
"""A bracket that holds no more of what is expected contradicts it, and stands alone."""
USUAL_CALL = 2.0
"""Polls that took longer than usual by more than this factor were held up somewhere."""
UNSURE = 1 / 3
"""Where polls seem not to answer at one share of their time, refreshes may jitter as well: by as
much as a call takes, but no more than this share of what brackets can have hidden."""
STANDARD = NormalDist()


class Refreshes:
    """The refreshes of one column of a trace, placed in time as well as can be.

    A refresh is bracketed by two polls. Where one grid suits all refreshes, it places them
    all. Else those around a refresh say when it is expected: a straight line is fitted
    through the middles of up to ``NEIGHBOURS`` brackets on either side, and refreshes
    scatter about such lines by what is seen of that, beside the width of brackets. The own
    bracket cuts what is expected.

    Args:
        refreshes: in order.
        period_ns: time between refreshes, where it is known from more than these.
        exact: whether it is known exactly.
    """

    refreshed = True

    def __init__(
        self, refreshes: Sequence[Refresh], period_ns: float | None = None, *, exact: bool = False
    ) -> None:
        self.period_ns = period_ns or observed_period_ns(refreshes)
        self._widest_ns = max((seen.width_ns for seen in narrow(refreshes)), default=0)
        cut = [self._cut(refresh) for refresh in self._without_stray(refreshes)]
        self._refreshes = _apart(cut)
        self._middles = [refresh.middle_ns for refresh in self._refreshes]
        self._placed: dict[int, Placed] = {}
        self._usual_call_ns = _usual_call_ns(cut)
        if self.period_ns is not None:
            self._snap(_grid(cut, self.period_ns, self._usual_call_ns, exact=exact))

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

    def _snap(self, grid: Grid | None) -> None:
        """Place each refresh on the last instant of its grid that its own bracket holds.

        Unless its value may be of either of two instants.
        """
        if grid is None:
            return
        self._refreshes = list(self._without_either(grid))
        self._middles = [refresh.middle_ns for refresh in self._refreshes]
        taken: int | None = None
        for i, own in enumerate(self._refreshes):
            if self._either(own, grid):
                continue
            half_ns = grid.half_ns(grid.last_before(own.latest_ns))
            number = grid.last_before(own.latest_ns + half_ns)
            time_ns = grid.instant_ns(number)
            if (taken is None or number > taken) and time_ns >= own.earliest_ns - half_ns:
                shared_ns = grid.misplaced_ns(number)
                self._placed[i] = Placed(
                    time_ns, half_ns, own.value, shared_ns, grid.jitter_ns, grid.unshown_ns
                )
                taken = number

    def _without_either(self, grid: Grid) -> Iterator[Refresh]:
        """Without values that may be of either of two instants, where others are near.

        The energy between its neighbours is known all the same.
        """
        last_ns = math.inf
        for own, following in zip_longest(self._refreshes, self._refreshes[1:]):
            apart_ns = math.inf if following is None else following.middle_ns - last_ns
            if not 0 < apart_ns <= NEAR * grid.period_ns or not self._either(own, grid):
                last_ns = own.middle_ns
                yield own

    @staticmethod
    def _either(own: Refresh, grid: Grid) -> bool:
        """Whether a value may be of one of two refreshes.

        Its bracket holds two, and the last may lie in the very call that gave the value, or
        after it: the call took long, or came near to where a refresh is thought to be.
        """
        half_ns = grid.half_ns(grid.last_before(own.latest_ns))
        called_ns = own.latest_ns - own.latest_call_ns
        before = grid.last_before(called_ns - half_ns)
        held = grid.instant_ns(before) > own.earliest_ns
        return held and grid.last_before(own.latest_ns + half_ns) > before

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
        rim_ns = 0.02 * own.width_ns  # keeps refreshes in order
        first_ns, last_ns = own.earliest_ns + rim_ns, own.latest_ns - rim_ns
        middle_ns, deviation_ns = _within(first_ns, last_ns, self._expected(number))
        half_ns = max(math.sqrt(3) * deviation_ns, LEAST_HALF_NS)
        called_ns = self._usual_call_ns / math.sqrt(12)
        return Placed(middle_ns, half_ns, own.value, called_ns=called_ns)

    def _expected(self, number: int) -> NormalDist | None:
        """When the refresh may have been, judged by those around it; ``None`` if they tell nothing."""
        points = self._neighbourhood(number)
        either = self._refreshes[number].width_ns > USABLE * (self.period_ns or math.inf)
        if either or len(points) < LEAST_POINTS:
            return None
        origin_ns = points[0][1].middle_ns
        offset, slope = fitted_line([(x, r.middle_ns - origin_ns) for x, r in points])
        expected = [origin_ns + offset + slope * x for x, _ in points]
        low = max(r.earliest_ns - e for e, (_, r) in zip(expected, points, strict=True))
        high = min(r.latest_ns - e for e, (_, r) in zip(expected, points, strict=True))
        here_ns = origin_ns + offset
        if low < high:
            spread_ns = math.hypot((high - low) / math.sqrt(12), self._jitter_ns)
            return NormalDist(here_ns + (low + high) / 2, spread_ns)
        misses = [r.middle_ns - e for e, (_, r) in zip(expected, points, strict=True)]
        scatter_ns = math.sqrt(fmean(miss * miss for miss in misses))
        if scatter_ns > WILD * (self.period_ns or 0.0):
            return None
        return NormalDist(here_ns, max(scatter_ns, 1.0))

    @cached_property
    def _jitter_ns(self) -> float:
        """Standard deviation of refreshes about lines through those around, beside brackets'.

        Those that lie on no grid jitter by no less than what a grid would have hidden.
        """
        if not self._refreshes:
            return 0.0
        squares = [self._scatter_ns2(number) for number in range(len(self))]
        usual_ns = median(refresh.width_ns for refresh in self._refreshes)
        return math.sqrt(max(fmean(squares), (UNSHOWN * usual_ns / len(self)) ** 2))

    def _scatter_ns2(self, number: int) -> float:
        """Square of how far one lies from the line, less what the width of its bracket explains."""
        own, points = self._refreshes[number], self._neighbourhood(number)
        if own.width_ns > self._widest_ns or len(points) < LEAST_POINTS:
            return 0.0
        offset, _ = fitted_line([(x, r.middle_ns - own.middle_ns) for x, r in points])
        return offset * offset - own.width_ns**2 / 12

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


def _grid(
    refreshes: Sequence[Refresh], period_ns: float, usual_ns: float, *, exact: bool
) -> Grid | None:
    """The grid that all brackets allow, with what can be taken for granted of polls.

    Polls that take about as long as others are taken to give their value at one share of
    their time; where that leaves no grid, those of the same length; then none, unless
    refreshes jitter. Brackets overlap where a poll ends one and begins the next.
    """
    brackets = numbered([_bracket(s, usual_ns) for s in refreshes], period_ns)
    if (grid := answered_grid(brackets, period_ns)) is not None:
        return grid
    alike = [_alike(bracket, usual_ns) for bracket in brackets]
    if (grid := regular_grid(alike, period_ns)) is not None:
        unsure_ns = math.hypot(grid.unsure_ns, usual_ns / math.sqrt(12))
        return grid._replace(unsure_ns=unsure_ns)
    if (grid := regular_grid(brackets, period_ns)) is not None:
        jitter_ns = min(UNSURE * grid.unshown_ns, usual_ns)
        return grid._replace(jitter_ns=max(jitter_ns, grid.jitter_ns))
    grid = jittering_grid(brackets, period_ns)
    return phase_grid(brackets, period_ns) if grid is None and exact else grid


def _usual_call_ns(refreshes: Sequence[Refresh]) -> float:
    return median(seen.latest_call_ns for seen in refreshes) if refreshes else 0.0


def _bracket(seen: Refresh, usual_ns: float) -> Bracket:
    """The bracket of a refresh; polls that were held up may have given their value at any instant."""
    calls_ns = (seen.earliest_call_ns, seen.latest_call_ns)
    first_ns, last_ns = (ns if ns <= USUAL_CALL * usual_ns else 0.0 for ns in calls_ns)
    return Bracket(0, seen.earliest_ns, seen.latest_ns, first_ns, last_ns)


def _alike(bracket: Bracket, usual_ns: float) -> Bracket:
    """As narrow as it is if polls that take as long as usual give their value in the middle.

    Others of unlike lengths at a share of theirs that nobody knows.
    """
    first_ns, last_ns = (
        max(call_ns - abs(call_ns - usual_ns), 0.0) / 2
        for call_ns in (bracket.first_call_ns, bracket.last_call_ns)
    )
    return Bracket(bracket.number, bracket.earliest_ns + first_ns, bracket.latest_ns - last_ns)


def _within(first: float, last: float, expected: NormalDist | None) -> tuple[float, float]:
    """Mean and deviation of what lies between two instants, and is expected somewhere."""
    plain = (first + last) / 2, (last - first) / math.sqrt(12)
    if expected is None:
        return plain
    low, high = ((one - expected.mean) / expected.stdev for one in (first, last))
    held = STANDARD.cdf(high) - STANDARD.cdf(low)
    if held < LEAST_HELD:
        return plain
    first_density, last_density = STANDARD.pdf(low), STANDARD.pdf(high)
    off = (first_density - last_density) / held
    variance = 1 + (low * first_density - high * last_density) / held - off * off
    deviation = expected.stdev * math.sqrt(max(variance, 0.0))
    return expected.mean + expected.stdev * off, min(deviation, plain[1])


def _apart(refreshes: Sequence[Refresh]) -> list[Refresh]:
    """Brackets without overlap: where both ends of one reading are used, its middle is."""
    found = list(refreshes)
    for i, (a, b) in enumerate(pairwise(refreshes)):
        if b.earliest_ns < a.latest_ns:
            middle_ns = (b.earliest_ns + a.latest_ns) // 2
            found[i] = found[i]._replace(latest_ns=middle_ns, latest_call_ns=0)
            found[i + 1] = b._replace(earliest_ns=middle_ns, earliest_call_ns=0)
    return found
