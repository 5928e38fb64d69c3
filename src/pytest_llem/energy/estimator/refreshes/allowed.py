"""Which regular grids the brackets of refreshes allow."""

from __future__ import annotations

from math import sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.refreshes.grid import FINEST_NS, Grid
from pytest_llem.energy.estimator.refreshes.polygon import HalfPlane, Moments, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.energy.estimator.refreshes.grid import Bracket
    from pytest_llem.energy.estimator.refreshes.polygon import Polygon

LEAST = 12
"""Fewer brackets do not show that refreshes are regular."""
FEW = 3
"""The same where the period is known from elsewhere."""
TOLERANCE = 0.15
"""By how much of its half-width a bracket may miss the grid, as clocks and drivers jitter."""
STEEPEST = 0.02
"""The period is known beforehand to this share."""
UNSHOWN = 6.0
"""How much refreshes may be off a grid that all brackets allow, in what is between their ends (were
all brackets in one period): simulated refreshes that jitter by so much are taken for regular once in five times."""
SEARCH = 40
"""Steps of the search for a period; each narrows it by a third."""
SLIVER, ROOM = 2.0, 8.0
"""Area that brackets leave for grids, in squares of what is between their ends: less than the
first is left once in fifty times where refreshes lie on one, the second is usual. Less shows that
they jitter or drift, or that polls do not all answer at one share of their time."""
SHARES, BEYOND = 32, 0.15
"""In how many equal parts shares of a call after which its value may be taken are looked at, each
at its middle; and how far they reach beyond the call, which holds the truth as often where a value is
taken at its very beginning or end."""
WIDENING = 1.5
"""Factor by which brackets are widened until there is room; and by how much more refreshes may
be off than the widening, which few brackets decide."""
DRIFTING = 4.0
"""Refreshes away from the middle at which a period that drifts is off by √2 as much."""


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
    rooms = [
        Moments.of(cut(outer, view.planes([bracket.at(share) for bracket in tight], FINEST_NS)))
        for share in _shares()
    ]
    part_ns = fmean(b.last_call_ns for b in brackets) * (1 + 2 * BEYOND) / SHARES
    seen = min(view.apart_ns / part_ns, 1.0) if part_ns else 1.0  # of the room, at a part's middle
    if max(room.area for room in rooms) < SLIVER * (seen * view.apart_ns) ** 2:
        return None
    return view.grid(Moments.added(rooms), part_ns=part_ns)


def _shares() -> Iterator[float]:
    for part in range(SHARES):
        yield (part + 0.5) / SHARES * (1 + 2 * BEYOND) - BEYOND


def regular_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid that all brackets allow, whenever polls give their value, if there is one.

    All such grids are as likely as one another; their mean is taken.
    """
    if len(brackets) < LEAST:
        return None
    view = _View.of(brackets, period_ns)
    moments = Moments.of(cut(view.all_grids(), view.planes(brackets, FINEST_NS)))
    if moments.area < ROOM * view.apart_ns**2:
        return None
    return view.grid(moments)


def jittering_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The same, with brackets that are widened until there is the usual room for it.

    Their refreshes jitter, by about as much.
    """
    if len(brackets) < LEAST:
        return None
    view, usual_ns = _View.of(brackets, period_ns), median(b.width_ns for b in brackets)
    lacking_ns = -_width_ns(brackets, _widest_ns(brackets, period_ns))
    slack_ns = max(lacking_ns / 2, FINEST_NS)
    while slack_ns <= TOLERANCE * usual_ns / 2:
        drifting = view.planes(brackets, slack_ns, drifts=True)
        moments = Moments.of(cut(view.all_grids(), drifting))
        if moments.area >= ROOM * view.apart_ns**2:
            return view.grid(moments)._replace(jitter_ns=WIDENING * slack_ns)
        slack_ns *= WIDENING
    return None


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
    apart_ns: float
    """From one end of a bracket to the next, were all in one period, near a refresh."""

    @classmethod
    def of(cls, brackets: Sequence[Bracket], period_ns: float) -> _View:
        first, last = brackets[0].number, brackets[-1].number
        near = brackets[len(brackets) // 2]
        middle_ns = (near.earliest_ns + near.latest_ns) / 2
        reach = max((last - first) / 2, 1.0)
        widths_ns = (max(bracket.at(0.5).width_ns, FINEST_NS) for bracket in brackets)
        apart_ns = 1 / sum(1 / width_ns for width_ns in widths_ns)
        return cls(near.number, reach, middle_ns, period_ns, apart_ns)

    def all_grids(self) -> Polygon:
        """Those with a period that may be, and with any phase."""
        off_ns = STEEPEST * self.period_ns * self.reach
        return [
            (-self.period_ns, -off_ns),
            (self.period_ns, -off_ns),
            (self.period_ns, off_ns),
            (-self.period_ns, off_ns),
        ]

    def planes(
        self, brackets: Iterable[Bracket], slack_ns: float, *, drifts: bool = False
    ) -> Iterator[HalfPlane]:
        """What brackets that are so much wider at either end allow.

        Those further away by more, as a period that *drifts* does.
        """
        least_ns = slack_ns
        for bracket in brackets:
            number = bracket.number - self.middle
            if drifts:
                slack_ns = least_ns * sqrt(1 + abs(number) / DRIFTING)
            expected_ns = self.origin_ns + self.period_ns * number
            far = number / self.reach
            yield HalfPlane(1.0, far, bracket.latest_ns - expected_ns + slack_ns)
            yield HalfPlane(-1.0, -far, expected_ns - bracket.earliest_ns + slack_ns)

    def always(self, bracket: Bracket, grids: Polygon) -> bool:
        """Whether a bracket allows all of some grids, whenever its polls gave their value."""
        narrowest = bracket.between(1 + BEYOND, -BEYOND)
        return all(plane.holds(grids) for plane in self.planes([narrowest], FINEST_NS))

    def grid(self, moments: Moments, *, part_ns: float = 0.0) -> Grid:
        """The mean of grids, and how they scatter.

        Args:
            moments: of the grids.
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
            unshown_ns=UNSHOWN * self.apart_ns,
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
