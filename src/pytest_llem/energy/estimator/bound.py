"""What there can be between a counter's refresh and an instant, whichever way power runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.mixture import Normal

if TYPE_CHECKING:
    from pytest_llem.energy.estimator.refreshes.refresh import Placed

PEAK = 2.0
"""Power inside a refresh is taken to be at most so many times its mean."""


class Bound(NamedTuple):
    """The least and the most energy, and what is believed where nothing else is known."""

    least_j: float
    most_j: float
    flat: Normal
    """Power as it is in the mean of its refresh, between nothing and ``PEAK`` times as much."""

    @classmethod
    def at(cls, at_ns: float, before: Placed, after: Placed, highest_w: float) -> Bound:
        """Of the energy from a refresh to an instant before the next.

        Power is never below nothing, and its peak no higher than *highest_w* or ``PEAK``
        times the mean.
        """
        whole_j = after.value - before.value
        mean_w = whole_j / (after.time_ns - before.time_ns) * 1e9
        peak_w = max(PEAK * mean_w, highest_w)
        so_far_s, left_s = (at_ns - before.time_ns) / 1e9, (after.time_ns - at_ns) / 1e9
        away_s = min(so_far_s, left_s)
        return cls(
            least_j=max(whole_j - peak_w * left_s, 0.0),
            most_j=min(peak_w * so_far_s, whole_j),
            flat=Normal(1.0, mean_w * so_far_s, (PEAK * mean_w * away_s) ** 2 / 12),
        )

    def on(self, part: Normal, weight: float) -> Normal:
        """An explanation, but for what cannot be, and no less sure than the bound is.

        One that is less sure, and says what cannot be, says nothing.
        """
        mean_j = min(max(part.mean_j, self.least_j), self.most_j)
        if part.variance_j2 <= self.flat.variance_j2:
            return Normal(weight, mean_j, part.variance_j2)
        if mean_j != part.mean_j:
            return self.flat._replace(weight=weight)
        return Normal(weight, mean_j, self.flat.variance_j2)
