"""Energy inside a refresh where power fluctuates faster than it is shown."""

from __future__ import annotations

import math
from bisect import bisect_left
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.surroundings import Sample, Surroundings

REACH = 6
"""Refreshes and power readings on either side from which the fluctuation is judged."""
SLACK = 0.02
"""Share of the range of power by which it may leave the range that was seen."""


def spread_evenly(around: Surroundings, at_ns: float, averaging_s: float) -> tuple[float, float]:
    """Energy from the node before an instant to it, spread evenly, and its deviation, in joules.

    The integral of a fast fluctuation is itself a stationary fluctuation, of a variance
    V. What lies between two nodes misses the straight line by that of the instant and
    of both nodes: V (1 + f² + (1 - f)²) at the share f of the way. Near a node it
    vanishes, and power that stays in the range that was seen bounds it.
    """
    _, a, b = around.interval(at_ns)
    share = (at_ns - a.time_ns) / (b.time_ns - a.time_ns)
    variance = _integral_variance_j2(around, at_ns, averaging_s)
    variance *= 1 + share**2 + (1 - share) ** 2
    bounded = min(variance, _bound_j(around, at_ns) ** 2)
    near_node = min(1.0, 4 * share, 4 * (1 - share))
    return (b.value - a.value) * share, math.sqrt(bounded * near_node)


def _integral_variance_j2(around: Surroundings, at_ns: float, averaging_s: float) -> float:
    """V, by how refreshes scatter about their neighbours, and power about refreshes.

    A mean over the time T differs from the truth by the difference of two values of
    the integral over T, which has the variance 2 V / T²; the larger figure is taken,
    since a fluctuation in step with either hides from it.
    """
    means = around.means_w(at_ns, REACH)
    powers = [mean.power_w for mean in means]
    bends = [b - (a + c) / 2 for a, b, c in zip(powers, powers[1:], powers[2:], strict=False)]
    by_counter = _mean_square(bends) / 1.5 * around.period_s**2 / 2
    if not averaging_s:
        return by_counter
    half_ns = averaging_s / 2 * 1e9
    misses = [
        sample.power_w - _interpolate(means, sample.time_ns - half_ns)
        for sample in around.samples_near(at_ns, REACH)
    ]
    by_power = _mean_square(misses) / (2 * (averaging_s**-2 + around.period_s**-2))
    return max(by_counter, by_power)


def _bound_j(around: Surroundings, at_ns: float) -> float:
    """The most that energy can run ahead, if power stays in the range that was seen.

    That is if all of the interval's high power comes first.
    """
    _, a, b = around.interval(at_ns)
    width_s = (b.time_ns - a.time_ns) / 1e9
    mean_w = (b.value - a.value) / width_s
    seen = [*around.means_w(at_ns, REACH), *around.samples_near(at_ns, REACH)]
    low_w, high_w = min(s.power_w for s in seen), max(s.power_w for s in seen)
    if high_w == low_w:
        return 0.0
    ahead_w = (mean_w - low_w) * (high_w - mean_w) / (high_w - low_w)
    return width_s * (ahead_w + SLACK * (high_w - low_w))


def _mean_square(values: Sequence[float]) -> float:
    return fmean(value * value for value in values) if values else 0.0


def _interpolate(means: Sequence[Sample], time_ns: float) -> float:
    """Linear between the means, constant beyond them."""
    after = bisect_left(means, time_ns, key=lambda mean: mean.time_ns)
    if after in {0, len(means)}:
        return means[min(after, len(means) - 1)].power_w
    a, b = means[after - 1], means[after]
    share = (time_ns - a.time_ns) / (b.time_ns - a.time_ns)
    return a.power_w + share * (b.power_w - a.power_w)
