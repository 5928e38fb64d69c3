"""The regular grid on which a device refreshes, where its refreshes lie on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST = 12
"""Fewer brackets do not show that refreshes are regular."""
TOLERANCE = 0.15
"""By how much of its half-width a bracket may miss the grid, as clocks and drivers jitter."""
FINEST_NS = 5_000.0
"""No grid is taken to be known better than this, nor to be more regular."""
STEEPEST = 0.02
"""The period is known beforehand to this share."""
SEARCH = 40
"""Steps of the search for the slope; each narrows it by a third."""


class Bracket(NamedTuple):
    """Between which instants the refresh of a number lies, in nanoseconds."""

    number: int
    earliest_ns: float
    latest_ns: float


class Grid(NamedTuple):
    """Instants ``first_ns + period_ns · k``, all misplaced alike by up to ``half_ns``."""

    first_ns: float
    period_ns: float
    half_ns: float

    def last_before(self, t_ns: float) -> int:
        """Number of the last refresh at or before an instant."""
        return int((t_ns - self.first_ns) // self.period_ns)

    def instant_ns(self, number: int) -> float:
        return self.first_ns + self.period_ns * number


def regular_grid(brackets: Sequence[Bracket], period_ns: float) -> Grid | None:
    """The grid that all brackets allow, if there is one; numbers count from any origin.

    For a period, the first instants that all brackets allow are an interval; its width
    is a concave function of the period, so the widest is found by ternary search, and
    the middle of it taken. A width slightly below zero is jitter.
    """
    if len(brackets) < LEAST:
        return None
    typical_ns = sum(b.latest_ns - b.earliest_ns for b in brackets) / len(brackets) / 2
    low_ns, high_ns = (period_ns * (1 + sign * STEEPEST) for sign in (-1, 1))
    for _ in range(SEARCH):
        third_ns = (high_ns - low_ns) / 3
        if _width_ns(brackets, low_ns + third_ns) < _width_ns(brackets, high_ns - third_ns):
            low_ns += third_ns
        else:
            high_ns -= third_ns
    best_ns = (low_ns + high_ns) / 2
    earliest_ns, latest_ns = _allowed(brackets, best_ns)
    if earliest_ns - latest_ns > TOLERANCE * typical_ns:
        return None
    half_ns = abs(latest_ns - earliest_ns) / 2 + FINEST_NS
    return Grid((earliest_ns + latest_ns) / 2, best_ns, half_ns)


def _width_ns(brackets: Sequence[Bracket], period_ns: float) -> float:
    earliest_ns, latest_ns = _allowed(brackets, period_ns)
    return latest_ns - earliest_ns


def _allowed(brackets: Sequence[Bracket], period_ns: float) -> tuple[float, float]:
    """From when to when the refresh number 0 may have been; reversed if it cannot be."""
    earliest_ns = max(b.earliest_ns - period_ns * b.number for b in brackets)
    latest_ns = min(b.latest_ns - period_ns * b.number for b in brackets)
    return earliest_ns, latest_ns
