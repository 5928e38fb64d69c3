"""What the samples of one comparison say, apart from all other comparisons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.statistics import above, contrast, quantile
from pytest_llem.baselines.tolerance import bounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.prior import Prior
    from pytest_llem.baselines.samples import Side
    from pytest_llem.baselines.statistics import Contrast
    from pytest_llem.baselines.tolerance import Bound

ALPHA = 0.05
"""Chance, per comparison and one-sided, of a wrong ``pass`` or ``improved``. The interval
shown is the two-sided one of the same two tests, with 90 % confidence, so that ``pass``
is an interval within the tolerance (Schuirmann 1987, "A comparison of the two one-sided
tests procedure and the power approach")."""
CONFIDENCE = 1 - 2 * ALPHA
POWER = 0.8
"""Chance of finding the minimum detectable change."""
_LARGEST_LOG = 700.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """Change, interval and the three one-sided tests of one comparison."""

    change: float
    """Relative change of the metric."""
    interval: tuple[float, float]
    """Two-sided, with 90 % confidence."""
    p_worse: float
    """P value for being worse than tolerated."""
    p_within: float
    """P value for being within the tolerance."""
    p_better: float
    """P value for being better by more than the tolerance."""
    sign: int
    """1 if a rise is a regression, -1 if a fall is."""
    margin: float
    """From the baseline to the tolerance, on the logarithm; infinite if out of reach."""
    error: float
    """Standard error of the distance to the tolerance."""
    df: float
    assumed: tuple[tuple[str, float], ...]
    """Sources of variance of which only the prior is known, with standard deviations."""

    def detectable(self, alpha: float) -> float | None:
        """Smallest relative change that is found at level *alpha* in 80 % of cases."""
        if math.isinf(self.margin):
            return None
        reach = (quantile(1 - alpha, self.df) + quantile(POWER, self.df)) * self.error
        return relative(self.sign * (self.margin + reach))


def reasons_against(comparison: Comparison) -> tuple[str, ...]:
    """Why two sides cannot be compared; empty if they can, or if there is no baseline."""
    if comparison.refuse:
        return comparison.refuse
    found = list(_unusable("this run", comparison.candidate))
    if comparison.baseline is not None:
        found += _unusable("the baseline", comparison.baseline)
    return tuple(found)


def testable(comparison: Comparison) -> bool:
    """Whether there are two sides to compare; without them no statistics are needed."""
    return comparison.baseline is not None and not reasons_against(comparison)


def assess(comparison: Comparison, prior: Prior) -> Assessment | None:
    """The tests of a comparison; ``None`` if there is nothing to compare.

    A regression has to exceed every tolerance of the rule, and so has an improvement:
    an intersection-union test, whose p value is the largest of its parts (Berger 1982,
    "Multiparameter hypothesis testing and acceptance sampling").
    """
    if comparison.baseline is None or not testable(comparison):
        return None
    found = contrast(
        comparison.baseline,
        comparison.candidate,
        prior,
        same_session=comparison.same_session,
        same_cards=comparison.same_cards,
    )
    return _assessed(found, comparison)


def _assessed(found: Contrast, comparison: Comparison) -> Assessment:
    falls = comparison.rule.higher_is_better
    limits = bounds(comparison.rule, found.baseline, higher_is_better=falls)
    sign = -1 if falls else 1
    loosest = max(limits.worse, key=lambda bound: sign * bound.log)
    error, df = found.error(loosest.gain)
    return Assessment(
        change=relative(found.candidate - found.baseline),
        interval=_interval(found),
        p_worse=max(_beyond(found, bound, sign) for bound in limits.worse),
        p_within=_beyond(found, loosest, -sign),
        p_better=max(_beyond(found, bound, -sign) for bound in limits.better),
        sign=sign,
        margin=sign * (loosest.log - found.baseline),
        error=error,
        df=df,
        assumed=tuple(
            (term.source, term.assumed_sd) for term in found.terms if term.assumed_sd is not None
        ),
    )


def relative(log_change: float) -> float:
    """The relative change that a difference of logarithms is."""
    return math.expm1(min(log_change, _LARGEST_LOG))


def _unusable(whose: str, side: Side) -> Iterator[str]:
    values = side.values
    bad = sum(not (value > 0 and math.isfinite(value)) for value in values)
    if not side.known:
        yield f"{whose} has no value"
    elif bad:
        yield f"{bad} of {len(values)} values of {whose} are zero or less: no ratio can be taken"


def _beyond(found: Contrast, bound: Bound, sign: int) -> float:
    """P value for the candidate being beyond *bound*, upwards if *sign* is 1."""
    return above(sign * (found.candidate - bound.log), *found.error(bound.gain))


def _interval(found: Contrast) -> tuple[float, float]:
    error, df = found.error()
    change = found.candidate - found.baseline
    reach = quantile(1 - ALPHA, df) * error
    return relative(change - reach), relative(change + reach)
