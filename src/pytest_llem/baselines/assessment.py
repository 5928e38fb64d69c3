"""What the samples of comparisons say, in numbers that do not depend on arrays."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.family import ALPHA, FAMILY_ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.baselines.arrays import Bools
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.evaluation import Evaluation, Tests
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.prior import Prior, Profile
    from pytest_llem.baselines.samples import Side


POWER = 0.8
"""Chance of finding the minimum detectable change."""
WORTH_SAYING = 0.7
"""Share of the error beyond which its lasting part is the limit, not the number of processes."""
_LARGEST_LOG = 700.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """Change, interval and the three one-sided tests of one comparison."""

    baseline: float
    """The metric in the baseline, in its unit."""
    candidate: float
    """The metric now, in its unit, as it was measured."""
    change: float
    """Relative change of the metric, with what the anchors moved taken off."""
    interval: tuple[float, float]
    """Two-sided, with 90 % confidence over all looks."""
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
    lasting_error: float
    """What would be left of it with any number of processes now."""
    assumed: tuple[tuple[str, float], ...]
    """Sources of variance of which only the prior is known, with standard deviations."""
    anchors_moved: float = 0.0
    """Relative change of the anchors, that was taken off; 0 where they played no part."""
    hopeless: bool = True
    """Whether more processes would hardly decide it, or are not to be had."""

    def detectable(self, level: float) -> float | None:
        """Smallest relative change that is found at *level* in 80 % of cases."""
        from pytest_llem.baselines.evaluation import quantile

        if math.isinf(self.margin):
            return None
        reach = float(quantile(1 - level, self.df) + quantile(POWER, self.df))
        return relative(self.sign * (self.margin + reach * self.error))

    def limit(self, level: float) -> float | None:
        """The same with any number of processes: what only sessions can bring down."""
        from pytest_llem.baselines.evaluation import quantile

        if math.isinf(self.margin) or self.lasting_error < WORTH_SAYING * self.error:
            return None
        reach = float(quantile(1 - level, self.df) + quantile(POWER, self.df))
        return relative(self.sign * (self.margin + reach * self.lasting_error))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the comparisons of one family have in common."""

    priors: Mapping[Profile, Prior]
    complete: bool
    """Whether everything that is gated together is there, so that it tells how noisy it is."""
    looks: Looks | None
    """How often is looked; ``None`` is once."""


def reasons_against(comparison: Comparison) -> tuple[str, ...]:
    """Why two sides cannot be compared; empty if they can, or if there is no baseline."""
    if comparison.refuse or comparison.is_recorded:
        return comparison.refuse
    found = list(_unusable("this run", comparison.candidate))
    if comparison.baseline is not None:
        found += _unusable("the baseline", comparison.baseline)
    return tuple(found)


def testable(comparison: Comparison) -> bool:
    """Whether there are two sides to compare; without them no statistics are needed."""
    sides = comparison.baseline, comparison.candidate
    known = all(side is not None and side.known for side in sides)
    return known and not reasons_against(comparison)


def assess(
    comparisons: Sequence[Comparison], among: Circumstances, experiments: int
) -> list[Assessment]:
    """The tests of *comparisons*, of which each is :func:`testable`; *experiments* are gated.

    With several looks the evidence of each counts as it stood then, whatever came later.
    """
    import numpy as np

    from pytest_llem.baselines import decisions
    from pytest_llem.baselines.evaluation import Setting, evaluate, quantile
    from pytest_llem.baselines.looks import Looks, nominal_levels
    from pytest_llem.baselines.processes import processes_of

    processes = processes_of(comparisons)
    counts = processes.counts()
    setting = Setting(
        rules=[one.rule for one in comparisons],
        priors=[among.priors[one.profile] for one in comparisons],
        same_cards=np.array([one.same_cards for one in comparisons]),
        groups=np.array(_groups(comparisons, among)),
    )
    looks = among.looks or Looks((int(counts.max()),))
    grouped = np.array(_sizes(setting.groups.tolist())) > 1
    tests: Tests | None = None
    for number, limit in enumerate(looks.until(int(counts.max()))):
        now = np.minimum(counts, limit) if among.looks else counts
        found = evaluate(processes.first(now), setting)
        shared = decisions.shared_by_looks(found, now, looks.most)
        seen = decisions.spent_tests(_believed(found, grouped, among), looks, number, shared)
        tests = seen if tests is None else decisions.least(tests, seen)
    assert tests is not None  # noqa: S101 - there is always a first look
    levels = nominal_levels(np.full(len(counts), ALPHA), looks, number, shared)
    reach = quantile(1 - levels, found.df) * found.error
    given_up: Bools = np.ones(len(counts), bool)
    if looks.after(int(counts.max())) is not None:
        given_up = decisions.hopeless(
            found, looks, now, np.full(len(counts), FAMILY_ALPHA / max(1, experiments))
        )
    return [
        Assessment(
            baseline=math.exp(found.baseline[one]),
            candidate=math.exp(found.candidate[one]),
            change=relative(float(found.change[one])),
            interval=(
                relative(float(found.change[one] - reach[one])),
                relative(float(found.change[one] + reach[one])),
            ),
            p_worse=float(tests.worse[one]),
            p_within=float(tests.within[one]),
            p_better=float(tests.better[one]),
            sign=int(found.signs[one]),
            margin=float(found.margin[one]),
            error=float(found.bound_error[one]),
            df=float(found.bound_df[one]),
            lasting_error=float(found.lasting_error[one]),
            assumed=tuple(
                (source, float(sd[one])) for source, sd in found.assumed if sd[one] == sd[one]
            ),
            anchors_moved=relative(float(found.moved[one])),
            hopeless=bool(given_up[one]),
        )
        for one in range(len(comparisons))
    ]


def _believed(found: Evaluation, grouped: Bools, among: Circumstances) -> Tests:
    from pytest_llem.baselines import decisions

    if among.complete:
        return decisions.combined_tests(found, grouped)
    return decisions.early_tests(found)


def _groups(comparisons: Sequence[Comparison], among: Circumstances) -> list[int]:
    """Gated comparisons of one metric and kind of meter share their noise, once all are there."""
    numbers: dict[tuple[str, str], int] = {}
    return [
        numbers.setdefault((one.rule.metric, one.profile), len(numbers))
        if among.complete and not one.rule.informational
        else -1
        for one in comparisons
    ]


def _sizes(groups: Sequence[int]) -> list[int]:
    """Size of the group that each comparison is in; 1 if in none."""
    sizes = Counter(groups)
    return [sizes[group] if group >= 0 else 1 for group in groups]


def relative(log_change: float) -> float:
    """The relative change that a difference of logarithms is."""
    return math.expm1(min(log_change, _LARGEST_LOG))


def _unusable(whose: str, side: Side) -> Iterator[str]:
    values = side.values
    bad = sum(not (value > 0 and math.isfinite(value)) for value in values)
    if not side.known:
        yield f"{whose} has no value"
    elif bad == len(values) == values.count(0.0):
        yield f"{whose} has 0, of which no ratio can be taken: assert it in the test"
    elif bad:
        yield f"{bad} of {len(values)} values of {whose} are zero or less: no ratio can be taken"
