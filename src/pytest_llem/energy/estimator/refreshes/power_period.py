"""How often a device refreshes its power reading."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from statistics import pstdev
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.refreshes.refresh import narrow, observe, observed_period_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.estimator.refreshes.refresh import Refresh

RARER = 2.2
"""No card is known that refreshes its power so much less often than its counter."""
SAME_PERIOD = 0.02
"""Periods that differ by less are the same."""
LEAST = 6
"""Fewer stretches without a change tell nothing of why nothing changed."""
STILL = 0.05
"""A reading that stood because the load did is what the counter says of that time, to so much
of what readings differ by."""


class Period(NamedTuple):
    """Time between power readings."""

    ns: float | None
    """``None`` where nothing tells it."""
    is_counters: bool
    """Whether it is the counter's, which is known far better."""


class _Still(NamedTuple):
    """A stretch in which the power reading did not change, and the counter's mean over it."""

    shown_w: float
    mean_w: float


def power_period(powers: Readings, counters: Readings) -> Period:
    """The period of power readings, as far as a wide stretch of a trace shows it.

    A load that changes every so many refreshes, or now and then, shows a multiple of the
    period, or none. Where changes come much less often than the counter is refreshed, or a
    whole number of its periods apart, they are taken for the load's and the periods for the
    same, unless the counter says that power ran on while its reading stood.

    Args:
        powers: readings that all gave a power.
        counters: readings that all gave an energy.
    """
    changes = observe(powers.before_ns, powers.after_ns, powers.power_w)
    refreshes = observe(counters.before_ns, counters.after_ns, counters.energy_j)
    seen_ns, counter_ns = observed_period_ns(changes), observed_period_ns(refreshes)
    if seen_ns is None or counter_ns is None:
        return Period(seen_ns, is_counters=False)
    times = max(round(seen_ns / counter_ns), 1)
    whole = abs(seen_ns / times / counter_ns - 1) < SAME_PERIOD
    if not whole and seen_ns <= RARER * counter_ns:
        return Period(seen_ns, is_counters=False)
    if times > 1 and _ran_on(_stills(changes, narrow(refreshes), counter_ns)):
        return Period(seen_ns, is_counters=False)
    return Period(counter_ns, is_counters=True)


def _stills(
    changes: Sequence[Refresh], refreshes: Sequence[Refresh], period_ns: float
) -> list[_Still]:
    """What the counter says of each stretch between two changes of the power reading.

    But for the last period before a change, in which the load may have changed already.
    """
    times_ns = [refresh.middle_ns for refresh in refreshes]
    found: list[_Still] = []
    for change, following in pairwise(changes):
        first = bisect_right(times_ns, change.latest_ns)
        last = bisect_right(times_ns, following.earliest_ns - period_ns) - 1
        if first < last:
            a, b = refreshes[first], refreshes[last]
            mean_w = (b.value - a.value) / (b.middle_ns - a.middle_ns) * 1e9
            found.append(_Still(change.value, mean_w))
    return found


def _ran_on(stills: Sequence[_Still]) -> bool:
    """Whether power was not what its reading showed while that stood still.

    Both may be off by a factor of their own, which is left out.
    """
    if len(stills) < LEAST:
        return False
    gain = sum(s.shown_w * s.mean_w for s in stills) / sum(s.shown_w**2 for s in stills)
    misses_w = [still.mean_w - gain * still.shown_w for still in stills]
    return pstdev(misses_w) > STILL * pstdev([gain * still.shown_w for still in stills])
