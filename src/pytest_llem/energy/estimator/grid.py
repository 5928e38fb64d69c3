"""The regular grid on which a device refreshes, where its refreshes lie on one."""

from __future__ import annotations

import math
from math import fsum, sqrt
from operator import mul
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

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
"""Steps of the searches for a period; each narrows it by a third or a half."""
CUTS = 16
"""Periods at which the grids that all brackets allow are looked at."""


class Bracket(NamedTuple):
    """Between which instants the refresh of a number lies, in nanoseconds."""

    number: int
    earliest_ns: float
    latest_ns: float


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


def numbered(spans: Sequence[tuple[float, float]], period_ns: float) -> list[Bracket]:
    """Stretches of time that each hold one refresh, numbered by whole periods.

    Counted outwards from the narrowest. Those about as wide as a period could hold either
    of two refreshes, and are left out.

    Args:
        spans: in order, in nanoseconds.
        period_ns: as well as it is known.
    """
    usable = [span for span in spans if span[1] - span[0] < USABLE * period_ns]
    if not usable:
        return []
    first = min(range(len(usable)), key=lambda i: usable[i][1] - usable[i][0])
    before = _counted(usable[first::-1], period_ns)
    return [*reversed(before[1:]), *_counted(usable[first:], period_ns)]


def _counted(spans: Sequence[tuple[float, float]], period_ns: float) -> list[Bracket]:
    found = [Bracket(0, *spans[0])]
    refresh_ns = sum(spans[0]) / 2
    for earliest_ns, latest_ns in spans[1:]:
        periods = round(((earliest_ns + latest_ns) / 2 - refresh_ns) / period_ns)
        expected_ns = refresh_ns + periods * period_ns
        refresh_ns = min(max(expected_ns, earliest_ns), latest_ns)
        found.append(Bracket(found[-1].number + periods, earliest_ns, latest_ns))
    return found


def regular_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid that all brackets allow, if there is one; numbers count from any origin.

    For a period, the instants of number 0 that all brackets allow are an interval; its width
    is a concave function of the period, so the widest is found by ternary search. A width
    slightly below zero is jitter. The periods with a width are an interval around the best;
    the mean over all these grids is taken.
    """
    if len(brackets) < LEAST:
        return None
    origin_ns = brackets[0].earliest_ns
    near = [Bracket(n, a - origin_ns, b - origin_ns) for n, a, b in brackets]
    usual_ns = fmean(b.latest_ns - b.earliest_ns for b in near)
    best_ns = _widest_ns(near, period_ns)
    width_ns = _width_ns(near, best_ns)
    if width_ns < -TOLERANCE * usual_ns / 2:
        return None
    slack_ns = FINEST_NS + max(-width_ns / 2, 0.0)
    widened = [Bracket(n, a - slack_ns, b + slack_ns) for n, a, b in near]
    low_ns, high_ns = (
        _limit_ns(widened, best_ns, period_ns * (1 + sign * STEEPEST)) for sign in (-1, 1)
    )
    found = _mean_grid(widened, low_ns, high_ns, origin_ns)
    return found._replace(jitter_ns=slack_ns, unshown_ns=UNSHOWN * usual_ns / len(near))


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


def _widest_ns(brackets: Sequence[Bracket], period_ns: float) -> float:
    """The period that leaves most room."""
    low_ns, high_ns = (period_ns * (1 + sign * STEEPEST) for sign in (-1, 1))
    for _ in range(SEARCH):
        third_ns = (high_ns - low_ns) / 3
        if _width_ns(brackets, low_ns + third_ns) < _width_ns(brackets, high_ns - third_ns):
            low_ns += third_ns
        else:
            high_ns -= third_ns
    return (low_ns + high_ns) / 2


def _limit_ns(brackets: Sequence[Bracket], inside_ns: float, outside_ns: float) -> float:
    """The last period with room, from one inside towards one outside."""
    for _ in range(SEARCH):
        middle_ns = (inside_ns + outside_ns) / 2
        if _width_ns(brackets, middle_ns) > 0:
            inside_ns = middle_ns
        else:
            outside_ns = middle_ns
    return inside_ns


def _mean_grid(
    brackets: Sequence[Bracket], low_ns: float, high_ns: float, origin_ns: float
) -> Grid:
    """Mean and spread of the grids with periods between two that have room."""
    periods = [low_ns + (high_ns - low_ns) * (cut + 0.5) / CUTS for cut in range(CUTS)]
    rooms = [_allowed(brackets, period_ns) for period_ns in periods]
    widths = [max(latest - earliest, 0.0) for earliest, latest in rooms]
    firsts = [(earliest + latest) / 2 for earliest, latest in rooms]
    room = fsum(widths)
    period_ns = fsum(map(mul, widths, periods)) / room
    first_ns = fsum(map(mul, widths, firsts)) / room
    off_period = [one - period_ns for one in periods]
    off_first = [one - first_ns for one in firsts]
    period_ns2 = fsum(w * p * p for w, p in zip(widths, off_period, strict=True)) / room
    both_ns2 = fsum(w * p * f for w, p, f in zip(widths, off_period, off_first, strict=True))
    first_ns2 = fsum(w * (f * f + w * w / 12) for w, f in zip(widths, off_first, strict=True))
    middle = -both_ns2 / room / period_ns2
    return Grid(
        middle=middle,
        middle_ns=origin_ns + first_ns + period_ns * middle,
        period_ns=period_ns,
        unsure_ns=sqrt(max(first_ns2 / room - middle**2 * period_ns2, 0.0)),
        unsure_period_ns=sqrt(period_ns2),
    )


def _width_ns(brackets: Sequence[Bracket], period_ns: float) -> float:
    earliest_ns, latest_ns = _allowed(brackets, period_ns)
    return latest_ns - earliest_ns


def _allowed(brackets: Sequence[Bracket], period_ns: float) -> tuple[float, float]:
    """From when to when the refresh number 0 may have been; reversed if it cannot be."""
    earliest_ns = max(b.earliest_ns - period_ns * b.number for b in brackets)
    latest_ns = min(b.latest_ns - period_ns * b.number for b in brackets)
    return earliest_ns, latest_ns
