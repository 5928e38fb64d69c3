"""What a check came to, and the figures that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.student import mean_and_half_width_95

if TYPE_CHECKING:
    from collections.abc import Sequence

Outcome = str
FOUND, MISSED, UNDECIDED, NOT_RUN, BROKEN = "found", "missed", "undecided", "not run", "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    """What was looked at."""
    verdict: str
    """The answer in one line, with its figures."""
    outcome: Outcome = FOUND
    """``found``; ``missed`` if a wanted figure was not reached; ``undecided`` if the data do not
    tell; ``not run`` and ``broken`` say why in the verdict."""
    figures: dict[str, Any] = field(default_factory=dict)
    """JSON values; ``None`` is unknown."""

    @property
    def fails(self) -> bool:
        return self.outcome in {MISSED, BROKEN}


class CannotRunError(Exception):
    """A check cannot be run here; the message says why."""


def not_run(check: str, why: object) -> Finding:
    return Finding(check, f"not run: {why}", NOT_RUN)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which so large a *share* of the values lies, between neighbours linearly."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def summary_of(values: Sequence[float]) -> dict[str, float]:
    """Median and the 5th and 95th percentile."""
    return {name: quantile(values, q) for name, q in (("p5", 0.05), ("p50", 0.5), ("p95", 0.95))}


def variation(values: Sequence[float]) -> tuple[float, float, float]:
    """Coefficient of variation and its 95 % interval, for values that scatter normally.

    The interval is that of the standard deviation by chi-squared, over the mean as it is.

    Raises:
        ValueError: there are fewer than two values.
    """
    from scipy.stats import chi2

    count = len(values)
    if count < 2:
        raise ValueError("one value does not vary")
    own = stdev(values) / fmean(values)
    low, high = (math.sqrt((count - 1) / chi2.ppf(p, count - 1)) for p in (0.975, 0.025))
    return own, own * low, own * high


def ratio_interval(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Geometric mean of first over second with its 95 % interval, by t over the logarithms.

    Raises:
        ValueError: there are fewer than two pairs.
    """
    mean, half = mean_and_half_width_95([math.log(a / b) for a, b in pairs])
    if half is None:
        raise ValueError("one pair has no interval")
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)
