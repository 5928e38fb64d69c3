"""What fluctuates faster than it is shown, and so hides from every shape."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.surroundings import Sample

LOWER_QUARTILE = 0.319
"""Of the absolute value of a standard normal variable."""


def hidden_variance_j2(
    means: Sequence[Sample], samples: Sequence[Sample], period_s: float, averaging_s: float
) -> float:
    """Variance of the integral of a fast, stationary fluctuation, in J².

    A mean over the time T misses the truth by the difference of two values of that
    integral over T, which has the variance 2 V / T². How means over refreshes scatter
    about their neighbours, and power readings about the means, each gives V; the larger
    is taken, since a fluctuation in step with either hides from it.

    Args:
        means: mean power of refreshes, each at its middle.
        samples: power readings, each at its refresh; may be empty.
        period_s: time between refreshes of the counter.
        averaging_s: what a power reading averages over.
    """
    powers = [mean.power_w for mean in means]
    bends = [b - (a + c) / 2 for a, b, c in zip(powers, powers[1:], powers[2:], strict=False)]
    by_counter = _quartile_w2(bends) / 1.5 * period_s**2 / 2
    if not averaging_s:
        return by_counter
    half_ns = averaging_s / 2 * 1e9
    misses = [
        sample.power_w - _interpolate(means, sample.time_ns - half_ns)
        for sample in samples
        if means[0].time_ns < sample.time_ns - half_ns < means[-1].time_ns
    ]
    return max(by_counter, _quartile_w2(misses) / (2 * (averaging_s**-2 + period_s**-2)))


def share_at(position: float) -> float:
    """Variance of the energy up to a position inside a refresh (0 to 1), in units of V.

    The energy misses the straight line between two nodes by the integral at the position
    and at both nodes; near a node it is known.
    """
    spread = 1 + position**2 + (1 - position) ** 2
    return spread * min(1.0, 4 * position, 4 * (1 - position))


def _quartile_w2(differences: Sequence[float]) -> float:
    """Variance by the lower quartile: jumps make few of the differences, a fluctuation all."""
    if not differences:
        return 0.0
    ordered = sorted(map(abs, differences))
    return (ordered[len(ordered) // 4] / LOWER_QUARTILE) ** 2


def _interpolate(means: Sequence[Sample], time_ns: float) -> float:
    """Linear between the means."""
    after = bisect_left(means, time_ns, key=lambda mean: mean.time_ns)
    a, b = means[after - 1], means[after]
    share = (time_ns - a.time_ns) / (b.time_ns - a.time_ns)
    return a.power_w + share * (b.power_w - a.power_w)
