"""The regular grid on which a device refreshes, where its refreshes lie on one."""

from __future__ import annotations

import math
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.polygon import HalfPlane, Moments, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.energy.estimator.polygon import Polygon

LEAST = 12
"""Fewer brackets do not show that refreshes are regular."""
FEW = 3
"""The same where the period is known from elsewhere."""
TOLERANCE = 0.15
"""By how much of its half-width a bracket may miss the grid, as clocks and drivers jitter."""
FINEST_NS = 2_000.0
"""No grid is taken to be known better than this, nor to be more regular."""
STEEPEST = 0.02
"""The period is known beforehand to this share."""
USABLE = 0.8
"""A bracket may be so wide, in periods, to say something about the grid."""
UNSHOWN = 6.0
"""How much refreshes may be off a grid that all brackets allow, in widths of a bracket over their
number: simulated refreshes that jitter by so much are taken for regular once in five times."""
SEARCH = 40
"""Steps of the search for a period; each narrows it by a third."""
SHARES, BEYOND = 32, 0.15
"""In how many equal parts shares of a call after which its value may be taken are looked at, each
at its middle; and how far they reach beyond the call, which holds the truth as often where a value is
taken at its very beginning or end."""


class Bracket(NamedTuple):
    """Between which instants the refresh of a number lies, in nanoseconds."""

    number: int
    earliest_ns: float
    latest_ns: float
    first_call_ns: float = 0.0
    """The poll that began at the former took so long, and gave its value at some instant of it."""
    last_call_ns: float = 0.0
    """The same of the poll that ended at the latter."""

    @property
    def width_ns(self) -> float:
        return self.latest_ns - self.earliest_ns

    def at(self, share: float) -> Bracket:
        """As narrow as it is if polls give their value after a share of their time."""
        return self.between(share, share)

    def between(self, first: float, last: float) -> Bracket:
        """From one share of the poll that begins it to another of the poll that ends it."""
        return Bracket(
            self.number,
            self.earliest_ns + first * self.first_call_ns,
            self.latest_ns - (1 - last) * self.last_call_ns,
        )


class Grid(NamedTuple):
    """Instants ``middle_ns + period_ns · (k - middle)`` for whole numbers k.

    All grids that the brackets allow are as likely as one another; this is their mean.
    """

    middle: float
    """The number whose instant is known independently of the period."""
    middle_ns: float
    period_ns: float
    unsure_ns: float
    """Standard deviation of the instant of the middle."""
    unsure_period_ns: float
    """Standard deviation of the period."""
    jitter_ns: float = FINEST_NS
    """Standard deviation of a refresh about the grid."""
    unshown_ns: float = 0.0
    """The most of that which the brackets may have hidden: among so many of their width, some
    end as near to a regular refresh by chance."""

    def last_before(self, t_ns: float) -> int:
        """Number of the last refresh at or before an instant."""
        return math.floor((t_ns - self.middle_ns) / self.period_ns + self.middle)

    def instant_ns(self, number: int) -> float:
        return self.middle_ns + self.period_ns * (number - self.middle)

    def misplaced_ns(self, number: int) -> tuple[float, float]:
        """Standard deviations of an instant, from the middle's and from the period.

        Either is the same deviation for all numbers: signs are to be kept when summed.
        """
        return self.unsure_ns, self.unsure_period_ns * (number - self.middle)

    def half_ns(self, number: int) -> float:
        """Half-width of a uniform distribution that is as wide as an instant's."""
        return math.hypot(*self.misplaced_ns(number)) * sqrt(3)


def numbered(brackets: Sequence[Bracket], period_ns: float) -> list[Bracket]:
    """The brackets with numbers by whole periods, whatever numbers they had.

    Counted outwards from the narrowest. Those about as wide as a period could hold either
    of two refreshes, and are left out.

    Args:
        brackets: in order, each of one refresh.
        period_ns: as well as it is known.
    """
    usable = [bracket for bracket in brackets if bracket.width_ns < USABLE * period_ns]
    if not usable:
        return []
    first = min(range(len(usable)), key=lambda i: usable[i].width_ns)
    before = _counted(usable[first::-1], period_ns)
    return [*reversed(before[1:]), *_counted(usable[first:], period_ns)]


def _counted(brackets: Sequence[Bracket], period_ns: float) -> list[Bracket]:
    found = [brackets[0]._replace(number=0)]
    refresh_ns = (brackets[0].earliest_ns + brackets[0].latest_ns) / 2
    for bracket in brackets[1:]:
        middle_ns = (bracket.earliest_ns + bracket.latest_ns) / 2
        periods = round((middle_ns - refresh_ns) / period_ns)
        expected_ns = refresh_ns + periods * period_ns
        refresh_ns = min(max(expected_ns, bracket.earliest_ns), bracket.latest_ns)
        found.append(bracket._replace(number=found[-1].number + periods))
    return found


def answered_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid that all brackets allow if all polls give their value at one share of their time.

    That share is not known: all that leave a grid are as likely, each with its grids. Polls
    of unlike lengths tell something of it; all of one length misplace all refreshes alike.
    """
    if len(brackets) < LEAST:
        return None
    view = _View.of(brackets, period_ns)
    ends = [bracket.between(-BEYOND, 1 + BEYOND) for bracket in brackets]
    outer = cut(view.all_grids(), view.planes(ends, FINEST_NS))
    if not outer:
        return None
    tight = [bracket for bracket in brackets if not view.always(bracket, outer)]
    rooms = (
        cut(outer, view.planes([bracket.at(share) for bracket in tight], FINEST_NS))
        for share in _shares()
    )
    moments = Moments.added(Moments.of(room) for room in rooms)
    if moments.area <= 0:
        return None
    part_ns = fmean(b.last_call_ns for b in brackets) * (1 + 2 * BEYOND) / SHARES
    return view.grid(moments, fmean(b.at(0.5).width_ns for b in brackets), part_ns=part_ns)


def _shares() -> Iterator[float]:
    for part in range(SHARES):
        yield (part + 0.5) / SHARES * (1 + 2 * BEYOND) - BEYOND


def regular_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid that all brackets allow, whenever polls give their value, if there is one.

    All such grids are as likely as one another; their mean is taken. Brackets that leave
    slightly less than room for one are widened: their refreshes jitter.
    """
    if len(brackets) < LEAST:
        return None
    view = _View.of(brackets, period_ns)
    usual_ns = fmean(bracket.width_ns for bracket in brackets)
    slack_ns = FINEST_NS
    room = cut(view.all_grids(), view.planes(brackets, slack_ns))
    if not room:
        lacking_ns = -_width_ns(brackets, _widest_ns(brackets, period_ns))
        if lacking_ns > TOLERANCE * usual_ns / 2:
            return None
        slack_ns += max(lacking_ns / 2, 0.0)
        room = cut(view.all_grids(), view.planes(brackets, slack_ns))
    moments = Moments.of(room)
    if moments.area <= 0:
        return None
    return view.grid(moments, usual_ns)._replace(jitter_ns=slack_ns)


def phase_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid of a period that is known exactly, where all brackets allow it.

    A few brackets tell the phase; none of them tells the period.
    """
    if len(brackets) < FEW:
        return None
    earliest_ns, latest_ns = _allowed(brackets, period_ns)
    if earliest_ns > latest_ns + 2 * FINEST_NS:
        return None
    room_ns = max(latest_ns - earliest_ns, 0.0) + 2 * FINEST_NS
    middle_ns = (earliest_ns + latest_ns) / 2
    return Grid(0.0, middle_ns, period_ns, room_ns / sqrt(12), 0.0)


class _View(NamedTuple):
    """Grids as points in a plane, in nanoseconds.

    One coordinate is how much later than ``origin_ns`` the number ``middle`` is, the other by
    how much the period of ``period_ns`` is longer, times ``reach`` numbers.
    """

    middle: int
    reach: float
    origin_ns: float
    period_ns: float
    seen: int
    """Of the brackets that tell of them."""

    @classmethod
    def of(cls, brackets: Sequence[Bracket], period_ns: float) -> _View:
        first, last = brackets[0].number, brackets[-1].number
        near = brackets[len(brackets) // 2]
        middle_ns = (near.earliest_ns + near.latest_ns) / 2
        reach = max((last - first) / 2, 1.0)
        return cls(near.number, reach, middle_ns, period_ns, len(brackets))

    def all_grids(self) -> Polygon:
        """Those with a period that may be, and with any phase."""
        off_ns = STEEPEST * self.period_ns * self.reach
        return [
            (-self.period_ns, -off_ns),
            (self.period_ns, -off_ns),
            (self.period_ns, off_ns),
            (-self.period_ns, off_ns),
        ]

    def planes(self, brackets: Iterable[Bracket], slack_ns: float) -> Iterator[HalfPlane]:
        """What brackets that are so much wider at either end allow."""
        for bracket in brackets:
            number = bracket.number - self.middle
            expected_ns = self.origin_ns + self.period_ns * number
            far = number / self.reach
            yield HalfPlane(1.0, far, bracket.latest_ns - expected_ns + slack_ns)
            yield HalfPlane(-1.0, -far, expected_ns - bracket.earliest_ns + slack_ns)

    def always(self, bracket: Bracket, grids: Polygon) -> bool:
        """Whether a bracket allows all of some grids, whenever its polls gave their value."""
        narrowest = bracket.between(1 + BEYOND, -BEYOND)
        return all(plane.holds(grids) for plane in self.planes([narrowest], FINEST_NS))

    def grid(self, moments: Moments, usual_ns: float, *, part_ns: float = 0.0) -> Grid:
        """The mean of grids, and how they scatter.

        Args:
            moments: of the grids.
            usual_ns: how wide brackets are.
            part_ns: within so much all grids may be placed wrongly beside.
        """
        area = moments.area
        late_ns, longer_ns = moments.x / area, moments.y / area
        late_ns2 = moments.xx / area - late_ns**2
        both_ns2 = moments.xy / area - late_ns * longer_ns
        longer_ns2 = max(moments.yy / area - longer_ns**2, 1e-6)
        apart = -both_ns2 / longer_ns2
        left_ns2 = max(late_ns2 - both_ns2**2 / longer_ns2, 0.0)
        return Grid(
            middle=self.middle + apart * self.reach,
            middle_ns=self.origin_ns + late_ns + apart * (self.period_ns * self.reach + longer_ns),
            period_ns=self.period_ns + longer_ns / self.reach,
            unsure_ns=sqrt(left_ns2 + part_ns**2 / 12),
            unsure_period_ns=sqrt(longer_ns2) / self.reach,
            unshown_ns=UNSHOWN * usual_ns / self.seen,
        )


def _widest_ns(brackets: Sequence[Bracket], period_ns: float) -> float:
    """The period that leaves most room, whose width is a concave function of the period."""
    low_ns, high_ns = (period_ns * (1 + sign * STEEPEST) for sign in (-1, 1))
    for _ in range(SEARCH):
        third_ns = (high_ns - low_ns) / 3
        if _width_ns(brackets, low_ns + third_ns) < _width_ns(brackets, high_ns - third_ns):
            low_ns += third_ns
        else:
            high_ns -= third_ns
    return (low_ns + high_ns) / 2


def _width_ns(brackets: Sequence[Bracket], period_ns: float) -> float:
    earliest_ns, latest_ns = _allowed(brackets, period_ns)
    return latest_ns - earliest_ns


def _allowed(brackets: Sequence[Bracket], period_ns: float) -> tuple[float, float]:
    """From when to when the refresh number 0 may have been; reversed if it cannot be."""
    earliest_ns = max(b.earliest_ns - period_ns * b.number for b in brackets)
    latest_ns = min(b.latest_ns - period_ns * b.number for b in brackets)
    return earliest_ns, latest_ns
