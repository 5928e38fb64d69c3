"""From the tests of a family to what is decided, look by look, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_llem.baselines.evaluation import Evaluation, Tests, quantile
from pytest_llem.baselines.family import ALPHA
from pytest_llem.baselines.looks import FAILING, nominal_levels, spent

if TYPE_CHECKING:
    from pytest_llem.baselines.arrays import Bools, Floats, Ints, Words
    from pytest_llem.baselines.looks import Looks


EARLY_FAILURE, EARLY_PASS = 0.05, 0.1
"""Shares of the error that may be spent before the family is complete, while a variance can
only be moderated by its profile; the rest is for when it is."""
HOPELESS = 0.003
"""Chance of a decision by the last look below which no more processes are spent on it."""
_NEXT_TO_NOTHING = 1e-12


def combined_tests(found: Evaluation, grouped: Bools) -> Tests:
    """Tests of a complete family: by its own variances, or by those that were told before.

    Each has its share of the error (Bonferroni), so that what was decided early stays.
    *grouped* are the comparisons that have a family.
    """
    late, early = found.tests, early_tests(found)

    def either(name: str, share: float) -> Floats:
        both = np.minimum(getattr(late, name) / (1 - share), getattr(early, name))
        return np.minimum(1.0, np.where(grouped, both, getattr(found.alone, name)))

    return Tests(
        either("worse", EARLY_FAILURE), either("within", EARLY_PASS), either("better", EARLY_PASS)
    )


def early_tests(found: Evaluation) -> Tests:
    """Tests of comparisons whose family is not complete, at their share of the error."""
    alone = found.alone
    return Tests(
        np.minimum(1.0, alone.worse / EARLY_FAILURE),
        np.minimum(1.0, alone.within / EARLY_PASS),
        np.minimum(1.0, alone.better / EARLY_PASS),
    )


def spent_tests(tests: Tests, looks: Looks, number: int, shared: Floats) -> Tests:
    """Tests of look *number* alone, from 0, as tests of the whole plan.

    *shared* as :func:`shared_by_looks` has it.
    """
    return Tests(
        spent(tests.worse, looks, number, shared, FAILING),
        spent(tests.within, looks, number, shared),
        spent(tests.better, looks, number, shared),
    )


def shared_by_looks(found: Evaluation, processes: Ints, most: int) -> Floats:
    """Share of the variance at *most* processes that more processes do not lower."""
    left = np.maximum(found.bound_error**2 - found.growing / processes, 0.0)
    return np.asarray(left / (left + found.growing / most))


def least(one: Tests, other: Tests) -> Tests:
    """The smaller p values of two looks."""
    return Tests(
        np.minimum(one.worse, other.worse),
        np.minimum(one.within, other.within),
        np.minimum(one.better, other.better),
    )


def verdicts(tests: Tests, certain: Bools) -> Words:
    """The verdict on each comparison; *certain* are those that the family's procedure rejects."""
    return np.select(
        [certain, tests.better <= ALPHA, tests.within <= ALPHA],
        ["regressed", "improved", "pass"],
        "inconclusive",
    )


def hopeless(found: Evaluation, looks: Looks, processes: Ints, levels: Floats) -> Bools:
    """Whether even all processes of the plan would hardly decide a comparison.

    The chance is that of the last look, given where the evidence is now, with a flat prior
    on the change: stochastic curtailment (Spiegelhalter, Freedman and Blackburn 1986,
    "Monitoring clinical trials: conditional or predictive power?"). Stopping for it never
    adds to false alarms.

    Args:
        found: what the tests rest on, now.
        looks: the plan.
        processes: how many each candidate has.
        levels: at which each comparison has to fail.
    """
    from scipy.special import ndtr

    last, most = len(looks.processes) - 1, looks.most
    shared = shared_by_looks(found, processes, most)
    to_come = np.maximum(found.growing * (1 / processes - 1 / most), 0.0)
    error = np.sqrt(np.maximum(found.bound_error**2 - to_come, 0.0))
    spread = np.sqrt(to_come) + _NEXT_TO_NOTHING
    beyond = found.signs * found.change - found.margin
    passes = nominal_levels(np.full_like(error, ALPHA), looks, last, shared)
    passing = quantile(1 - passes, found.bound_df)
    failing = -quantile(nominal_levels(levels, looks, last, shared, FAILING), found.bound_df)
    chance = ndtr((-beyond - passing * error) / spread) + ndtr((beyond - failing * error) / spread)
    return np.asarray(chance < HOPELESS)
