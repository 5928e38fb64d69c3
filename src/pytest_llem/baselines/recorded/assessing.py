"""The tests of one recorded figure against its tolerance or its limit, on its own scale.

Quality may be zero and less, so that no ratio can be taken as of energy. What varies it is
otherwise, too: which items were asked, and what the engine leaves to chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.family import ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.samples import Sample, Side

POWER = 0.8
"""Chance of finding the minimum detectable change."""
ROUNDING = 1e-6
"""Relative; baselines keep six significant digits."""
MANY = 1e6
"""Degrees of freedom of what is known as well as a normal distribution."""


@dataclass(frozen=True, slots=True)
class Distances:
    """A figure on both sides, and the three one-sided tests of the distance to its bounds."""

    baseline: float
    """In the baseline, or the limit."""
    candidate: float
    difference: float
    reach: tuple[float, float]
    """Interval of the difference, with 90 % confidence."""
    p_worse: float
    """P value for being worse than tolerated; 0 and 1 where everything is exact."""
    p_within: float
    p_better: float
    allowance: float
    """How much worse is tolerated."""
    error: float
    """Standard error of the distance to the bound; 0 where everything is exact."""
    df: float
    sign: int
    """1 if a rise is a regression, -1 if a fall is."""
    hopeless: bool = True
    """More processes are not asked for: the items would be the same."""

    @property
    def change(self) -> float | None:
        """The difference relative to the baseline; ``None`` if that is zero."""
        return self.difference / abs(self.baseline) if self.baseline else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The same of its interval; ``None`` also where everything is exact."""
        if not self.baseline or self.reach[0] == self.reach[1]:
            return None
        low, high = self.reach
        return low / abs(self.baseline), high / abs(self.baseline)

    def detectable(self, level: float) -> float | None:
        """Smallest relative change that is found at *level* in 80 % of cases."""
        from scipy.special import stdtrit

        if not (self.baseline and self.error):
            return None
        reach = float(stdtrit(self.df, 1 - level) + stdtrit(self.df, POWER))
        return self.sign * (self.allowance + reach * self.error) / abs(self.baseline)


@dataclass(frozen=True, slots=True)
class _Errors:
    """Variances of the distance between the sides, with their degrees of freedom."""

    terms: tuple[tuple[float, float], ...]

    @property
    def error(self) -> float:
        return math.sqrt(math.fsum(variance for variance, _ in self.terms))

    @property
    def df(self) -> float:
        """As a sum of variances has them (Satterthwaite 1946)."""
        below = math.fsum(variance**2 / df for variance, df in self.terms)
        return self.error**4 / below if below else MANY


def assess_recorded(comparison: Comparison, processes: int | None = None) -> Distances:
    """The tests of a comparison of a recorded figure that has two sides.

    A number without items is exact, unless processes of one side differ: then their variance,
    pooled over both sides, counts, and that of the baseline's sessions where there are several.
    Items are a sample of all that could have been asked. Every process asks the same ones, so that
    their error does not fall with the number of processes; that both sides do is not made use of,
    which makes the test careful.

    Args:
        comparison: one that is testable.
        processes: how many of the candidate count, where there are several looks: always those of
            the first, so that looking again costs no error rate. ``None`` is all.
    """
    baseline, candidate = comparison.baseline, _first(comparison.candidate, processes)
    assert baseline is not None  # noqa: S101 - it is testable
    before, now = mean_of(baseline), mean_of(candidate)
    assert before is not None  # noqa: S101 - likewise
    assert now is not None  # noqa: S101
    if comparison.rule.limit is not None and all(one.share for one in candidate.samples):
        return _of_share(comparison, now, candidate)
    sign = -1 if comparison.rule.higher_is_better else 1
    worse, gain = _allowance(comparison, before, sign)
    better, better_gain = _allowance(comparison, before, -sign)
    near, far = (_errors(baseline, candidate, one) for one in (gain, better_gain))
    reach = _reach(_errors(baseline, candidate, float(comparison.rule.limit is None)))
    difference = now - before
    slack = ROUNDING * max(abs(before), abs(now))
    return Distances(
        baseline=before,
        candidate=now,
        difference=difference,
        reach=(difference - reach, difference + reach),
        p_worse=_beyond(sign * difference - worse, near, slack),
        p_within=_kept(worse - sign * difference, near, slack),
        p_better=_beyond(-sign * difference - better, far, slack),
        allowance=worse,
        error=near.error,
        df=near.df,
        sign=sign,
    )


def mean_of(side: Side | None) -> float | None:
    """Where a side lies: processes count alike in a session, and so do sessions."""
    if side is None or not side.known:
        return None
    return _mean([_mean([_mean(one.values) for one in session]) for session in side.sessions])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _first(side: Side, processes: int | None) -> Side:
    return replace(side, sessions=tuple(one[:processes] for one in side.sessions))


def _allowance(comparison: Comparison, before: float, sign: int) -> tuple[float, float]:
    """How far beyond *before* the looser tolerance lies, and how that bound moves with *before*."""
    rule = comparison.rule
    if rule.limit is not None:
        return 0.0, 0.0
    found = []
    if rule.relative is not None:
        found.append((rule.relative * abs(before), 1 + math.copysign(rule.relative, sign * before)))
    if rule.absolute is not None:
        found.append((rule.absolute, 1.0))
    return max(found)


def _errors(baseline: Side, candidate: Side, gain: float) -> _Errors:
    """What makes the distance of *candidate* to a bound uncertain that moves with *baseline*."""
    terms = []
    squares, df = _within(baseline, candidate)
    if df and squares:
        shares = math.fsum(1 / len(one) for one in baseline.sessions) / len(baseline.sessions) ** 2
        own = 1 / len(candidate.samples) + gain**2 * shares
        terms.append((squares / df * own, df))
    between, free = _between(baseline, squares / df if df else 0.0)
    if between:
        terms.append((between * (1 + gain**2 / len(baseline.sessions)), free))
    for side, weight in ((candidate, 1.0), (baseline, gain**2)):
        variances = [_of_items(sample) for sample in side.samples]
        if any(variance for variance, _ in variances):
            mean = _mean([variance for variance, _ in variances])
            terms.append((weight * mean, min(free for _, free in variances)))
    return _Errors(tuple(terms))


def _within(*sides: Side) -> tuple[float, float]:
    """Sum of squares of processes around their sessions, and its degrees of freedom."""
    squares, df = 0.0, 0
    for side in sides:
        for session in side.sessions:
            values = [_mean(one.values) for one in session]
            mean = _mean(values)
            squares += math.fsum((value - mean) ** 2 for value in values)
            df += len(values) - 1
    return squares, float(df)


def _between(baseline: Side, process: float) -> tuple[float, float]:
    """Variance between the baseline's sessions beyond that of their processes, if it has several."""
    free = len(baseline.sessions) - 1
    if not free:
        return 0.0, 0.0
    means = [_mean([_mean(one.values) for one in session]) for session in baseline.sessions]
    mean = _mean(means)
    own = math.fsum((value - mean) ** 2 for value in means) / free
    explained = process * _mean([1 / len(session) for session in baseline.sessions])
    return max(0.0, own - explained), float(free)


def _of_items(sample: Sample) -> tuple[float, float]:
    """Variance of a value by its items, and its degrees of freedom; 0 if it is exact."""
    known = sample.items is not None and sample.items > 1 and not sample.share
    return (sample.standard_error or 0.0) ** 2, (sample.items or 0) - 1.0 if known else MANY


def _reach(errors: _Errors) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(errors.df, 1 - ALPHA)) * errors.error if errors.error else 0.0


def _beyond(distance: float, errors: _Errors, slack: float) -> float:
    """P value of the hypothesis that the true *distance* is at most zero; exact without errors."""
    return _above(distance, errors) if errors.error else float(distance <= slack)


def _kept(distance: float, errors: _Errors, slack: float) -> float:
    """The same of the hypothesis that it is less than zero."""
    return _above(distance, errors) if errors.error else float(distance < -slack)


def _above(distance: float, errors: _Errors) -> float:
    from scipy.special import stdtr

    return float(stdtr(errors.df, -distance / errors.error))


def _of_share(comparison: Comparison, now: float, candidate: Side) -> Distances:
    """A share of items against a limit, by the binomial distribution.

    Intervals are those of Clopper and Pearson (1934, Biometrika 26, 404). Processes ask the same
    items, so that together they count as often as one.
    """
    from scipy.special import betaincinv

    limit = comparison.rule.limit
    assert limit is not None  # noqa: S101 - only such rules are given
    count = _mean([float(one.items or 1) for one in candidate.samples])
    right = now * count
    wrong = count - right
    low = float(betaincinv(right, wrong + 1, ALPHA)) if right else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - ALPHA)) if wrong else 1.0
    few, many = _tails(right, wrong, limit)
    worse, within = (few, many) if comparison.rule.higher_is_better else (many, few)
    if not 0 < limit < 1:  # a single item that is otherwise shows that it is not so
        worse, within = float(now == limit), float(now != limit)
    return Distances(
        baseline=limit,
        candidate=now,
        difference=now - limit,
        reach=(low - limit, high - limit),
        p_worse=worse,
        p_within=within,
        p_better=within,
        allowance=0.0,
        error=math.sqrt(limit * (1 - limit) / count) if 0 < limit < 1 else 0.0,
        df=MANY,
        sign=-1 if comparison.rule.higher_is_better else 1,
    )


def _tails(right: float, wrong: float, share: float) -> tuple[float, float]:
    """Chance of so few, and of so many, if *share* of all items were right."""
    from scipy.special import betainc

    few = float(betainc(wrong, right + 1, 1 - share)) if wrong else 1.0
    many = float(betainc(right, wrong + 1, share)) if right else 1.0
    return few, many
