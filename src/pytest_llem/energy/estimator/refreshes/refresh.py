"""When a device refreshed what it shows, as two polls saw it, and how often it does."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW = 5
"""So many refreshes at least are taken to be seen well."""
MOST_PARTS = 6
"""The closest two refreshes that were seen well are no more periods apart."""
CLOSE = 6.5
"""In longer gaps than so many periods a guess of the period is too far off to be tried."""
JITTER = 0.005
"""Refreshes of a regular device may be off by so much of a period."""
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
    unshown_ns: float = 0.0
    """As much of that at most there may be beside, as the brackets would not have shown it."""
    called_ns: float = 0.0
    """Where it lies on none: a deviation that it shares with all others, as nobody knows after
    which share of a call a value is taken."""


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
