"""The regular grid on which a device refreshes, where its refreshes lie on one."""

from __future__ import annotations

import math
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FINEST_NS = 2_000.0
"""No grid is taken to be known better than this, nor to be more regular."""
USABLE = 0.8
"""A bracket may be so wide, in periods, to say something about the grid."""


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
