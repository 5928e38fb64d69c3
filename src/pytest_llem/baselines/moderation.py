"""What the experiments gated together say about the noise of each of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_llem.baselines.arrays import Floats, Ints
    from pytest_llem.baselines.contrasts import Noise


PROFILE_WEIGHT = 5.0
"""Experiments that the profile's prior counts as when a family says how noisy it is: a few
experiments cannot tell how much their variances differ in truth."""
MOST_DF = 1e4
_FLOOR = 1e-5
"""Of the median: the least a variance is taken for, as limma does, since zero has no logarithm."""
_LEAST = 1e-10
"""Of what the profile expects: the same where most are zero, as of a share that is one everywhere;
what is less has squares that are no numbers."""


def family_prior(noise: Noise, groups: Ints) -> tuple[Floats, Floats]:
    """Variance expected of a process in each comparison, and its worth in degrees of freedom.

    Empirical Bayes: within a group of comparisons the ratios of found to expected variances
    are taken for draws of a scaled F distribution, whose scale and degrees of freedom are
    fitted by the moments of their logarithms. Source: Smyth (2004), Statistical Applications
    in Genetics and Molecular Biology 3(1), article 3, section 6.2; as limma's ``fitFDist``.
    The profile's prior takes part as that of a few more experiments.

    Args:
        noise: of all comparisons.
        groups: which of them share their noise; -1 is with no other. A group of one learns
            nothing from itself, and keeps its profile's prior.
    """
    expected, df = noise.expected.copy(), noise.expected_df.copy()
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero(groups == group)
        telling = members[noise.df[members] > 0]
        if len(telling) < 2:  # noqa: PLR2004 - itself
            continue
        ratios = noise.squares[telling] / noise.df[telling] / noise.expected[telling]
        profile_df = float(np.mean(noise.expected_df[members]))
        scale, worth = fit(ratios, noise.df[telling], profile_df)
        expected[members] *= scale
        df[members] = worth
    return expected, df


def fit(ratios: Floats, df: Floats, profile_df: float) -> tuple[float, float]:
    """Scale and degrees of freedom of the prior that *ratios* of variances come from.

    Args:
        ratios: variances found, as multiples of what the profile expects.
        df: their degrees of freedom.
        profile_df: what the profile's prior is worth, the scale of which is 1.
    """
    from scipy.special import digamma, polygamma

    floored = np.maximum(ratios, max(_FLOOR * float(np.median(ratios)), _LEAST))
    logs = np.log(floored) - digamma(df / 2) + np.log(df / 2)
    count = len(logs)
    profile = math.log(profile_df / 2) - float(digamma(profile_df / 2))
    centre = (float(logs.sum()) + PROFILE_WEIGHT * profile) / (count + PROFILE_WEIGHT)
    own = float(logs.var(ddof=1) - polygamma(1, df / 2).mean())
    theirs = float(polygamma(1, profile_df / 2))
    excess = ((count - 1) * own + PROFILE_WEIGHT * theirs) / (count - 1 + PROFILE_WEIGHT)
    worth = min(MOST_DF, 2 * inverse_trigamma(excess)) if excess > 0 else MOST_DF
    return math.exp(centre - math.log(worth / 2) + float(digamma(worth / 2))), worth


def inverse_trigamma(value: float) -> float:
    """Where the trigamma function has a positive *value*; Newton's method as Smyth (2004) has it."""
    from scipy.special import polygamma

    if value < 1e-7:  # noqa: PLR2004 - where it is 1 / x to rounding
        return 1 / value
    found = 0.5 + 1 / value
    for _ in range(50):
        here = float(polygamma(1, found))
        step = here * (1 - here / value) / float(polygamma(2, found))
        found += step
        if abs(step) < 1e-9 * found:
            break
    return found
