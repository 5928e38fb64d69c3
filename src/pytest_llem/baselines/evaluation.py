"""The one-sided tests of many comparisons at once, as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_llem.baselines.contrasts import Family, Priors
from pytest_llem.baselines.moderation import family_prior
from pytest_llem.baselines.residuals import anchors_leave
from pytest_llem.baselines.tolerance import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.arrays import Bools, Floats, Ints
    from pytest_llem.baselines.contrasts import Contrasts
    from pytest_llem.baselines.prior import Prior
    from pytest_llem.baselines.processes import Processes
    from pytest_llem.baselines.rules import Rule


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What is known of comparisons beside their samples; one element a comparison."""

    rules: Sequence[Rule]
    priors: Sequence[Prior]
    same_cards: Bools
    groups: Ints
    """Which comparisons share their noise; -1 is with no other."""


@dataclass(frozen=True, slots=True, eq=False)
class Tests:
    """P values of the three one-sided tests of each comparison."""

    worse: Floats
    """For being worse than tolerated."""
    within: Floats
    """For being within the tolerance."""
    better: Floats
    """For being better by more than the tolerance."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Change, uncertainty and tests of each comparison."""

    baseline: Floats
    """Logarithm of the metric in the baseline."""
    candidate: Floats
    """The same now, as it was measured."""
    change: Floats
    """Difference of the logarithms, with what the anchors moved taken off."""
    error: Floats
    """Its standard error, and that of the distance to the tolerance."""
    df: Floats
    margin: Floats
    """From the baseline to the tolerance, on the logarithm; infinite if out of reach."""
    bound_error: Floats
    bound_df: Floats
    signs: Floats
    """1 where a rise is a regression, -1 where a fall is."""
    tests: Tests
    """With variances moderated by the family."""
    alone: Tests
    """With those of the profile only, as if there were no family."""
    lasting_error: Floats
    """What would be left of the error to the tolerance with any number of processes."""
    growing: Floats
    """The part of the variance that falls as processes are added, times their number."""
    moved: Floats
    """By how much anchors moved, on the logarithm; taken off the change."""
    assumed: tuple[tuple[str, Floats], ...]
    """Sources of variance with the standard deviation that is only assumed; else NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class _Limits:
    """Bounds of each comparison, ``(2, comparisons)``: relative and absolute; NaN if not given."""

    worse: Floats
    worse_gain: Floats
    better: Floats
    better_gain: Floats


def evaluate(processes: Processes, setting: Setting) -> Evaluation:
    """Test every comparison against its tolerance.

    A regression has to exceed every tolerance of its rule, and so has an improvement: an
    intersection-union test, whose p value is the largest of its parts (Berger 1982,
    "Multiparameter hypothesis testing and acceptance sampling").
    """
    family = Family(processes, Priors.of(setting.priors))
    noise = family.noise()
    prior = family_prior(noise, setting.groups)
    found = family.contrasts(noise, prior, setting.same_cards)
    if left := anchors_leave(family, found, family.allowances(noise)[1], setting.groups):
        found = family.contrasts(noise, prior, setting.same_cards, left)
    profile = (noise.expected, noise.expected_df)
    alone = family.contrasts(noise, profile, setting.same_cards)
    falls = [rule.higher_is_better for rule in setting.rules]
    signs = np.where(falls, -1.0, 1.0)
    limits = _limits(setting.rules, found.baseline, falls)
    loosest = np.nanargmax(signs * limits.worse, axis=0)
    everyone = np.arange(processes.size)
    bound, gain = limits.worse[loosest, everyone], limits.worse_gain[loosest, everyone]
    error, df = found.error()
    bound_error, bound_df = found.error(gain)
    growing = _growing(found, processes)
    return Evaluation(
        baseline=found.baseline,
        candidate=found.candidate + found.anchored,
        change=found.candidate - found.baseline,
        error=error,
        df=df,
        margin=signs * (bound - found.baseline),
        bound_error=bound_error,
        bound_df=bound_df,
        signs=signs,
        tests=_tests(found, limits, bound, gain, signs),
        alone=_tests(alone, limits, bound, gain, signs),
        lasting_error=np.sqrt(np.maximum(bound_error**2 - growing / processes.counts(), 0.0)),
        growing=growing,
        moved=found.anchored,
        assumed=tuple((term.source, term.assumed_sd) for term in found.terms),
    )


def above(difference: Floats | float, error: Floats | float, df: Floats | float) -> Floats:
    """P value of the hypothesis that the true difference is at most zero."""
    from scipy.special import stdtr

    return np.asarray(stdtr(df, -np.asarray(difference) / error))


def quantile(probability: Floats | float, df: Floats | float) -> Floats:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, probability))


def _tests(
    found: Contrasts, limits: _Limits, loosest: Floats, gain: Floats, signs: Floats
) -> Tests:
    def beyond(bound: Floats, gain: Floats, sign: Floats) -> Floats:
        return above(sign * (found.candidate - bound), *found.error(gain))

    return Tests(
        worse=np.fmax(*map(beyond, limits.worse, limits.worse_gain, (signs, signs))),
        within=beyond(loosest, gain, -signs),
        better=np.fmax(*map(beyond, limits.better, limits.better_gain, (-signs, -signs))),
    )


def _growing(found: Contrasts, processes: Processes) -> Floats:
    (term,) = (one for one in found.terms if one.source == "processes")
    variance = term.candidate + np.where(processes.same_session, term.baseline, 0.0)
    return np.asarray(variance * processes.counts())


def _limits(rules: Sequence[Rule], baselines: Floats, falls: Sequence[bool]) -> _Limits:
    rows = np.full((8, len(rules)), math.nan)
    places: dict[tuple[Rule, bool], list[int]] = {}
    for position, key in enumerate(zip(rules, falls, strict=True)):
        places.setdefault(key, []).append(position)
    for (rule, fall), some in places.items():
        for first, sign in ((0, -1 if fall else 1), (4, 1 if fall else -1)):
            for place, (log, gain) in enumerate(bounds(rule, baselines[some], sign)):
                rows[first + place, some] = log
                rows[first + 2 + place, some] = gain
    return _Limits(rows[0:2], rows[2:4], rows[4:6], rows[6:8])
