"""The same thing twice: what gates call a change where there is none, and what they can see."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from pytest_llem.baselines.assessment import POWER, Circumstances, assess, relative, testable
from pytest_llem.baselines.family import FAMILY_ALPHA
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.looks import FIRST_LOOK, nominal_levels, plan_looks
from pytest_llem.baselines.prior import PRIORS
from pytest_llem.baselines.samples import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.assessment import Assessment
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.rules import Rule
    from pytest_llem.baselines.samples import Sample

DEALS = 256
"""Ways to deal each round to two sides that are tried; all there are of one experiment's 8 rounds."""
DRAWS = 50
"""Pairs of sides of one size that are drawn to see what they could show."""
COUNTS = (3, 5, 8, 12, 20)
"""Processes a side that are looked at."""
CONFIDENCE = 0.95
"""Of the bound on the rate of false alarms."""
STEP = 0.005
"""Tolerances are recommended in steps of half a percent."""
FINE = 0.05
"""A tolerance that is fine enough, if fewer processes reach it."""
NEARLY = 1.25
"""So many times the finest tolerance is nearly as good, if fewer processes reach it."""
USEFUL = 0.5
"""A tolerance beyond which a gate is not worth its name."""
LARGEST = 0.9
"""A reach that no useful tolerance has."""
PROBE = 0.02
"""Tolerance at which it is told what can be seen; it hardly depends on that."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of one metric of one experiment."""

    experiment: str
    """Its node id."""
    measurement: str
    metric: str
    reach: dict[int, float]
    """How far beyond the tolerance a change has to lie to be found four times in five, relative,
    by the most processes a side, both measured in turns until it is decided."""
    stored: dict[int, float]
    """The same against a stored baseline of as many processes in one session."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a gate on this machine should be declared with."""

    metric: str
    tolerance: float
    """Relative. A change of twice as much is found."""
    repeats: int
    """Processes a side."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What came of comparing things with themselves."""

    rounds: int
    """The fewest that any experiment has."""
    deals: int
    """Ways to deal the rounds to two sides that were tried."""
    compared: int
    """Comparisons in each of them."""
    false_alarms: float
    """Share of all comparisons that were called a regression."""
    false_alarms_at_most: float
    """Upper bound of the rate, with :data:`CONFIDENCE`."""
    any_false_alarm: float
    """Share of deals in which any comparison was."""
    seen: tuple[Seen, ...]
    recommended: tuple[Recommended, ...]
    """By metric, where both sides are measured in turns (``llem ab``)."""
    recommended_stored: tuple[Recommended, ...]
    """The same against a stored baseline of one session."""


def self_check(comparisons: Sequence[tuple[str, Comparison]], seed: int = 0) -> SelfCheck | None:
    """What *comparisons* of things with themselves, each with a node id, show.

    ``None`` if nothing could be compared. Both sides are the same, so which process of a round
    is on which side is as good as a coin's toss, and every other toss is one more comparison of
    a thing with itself: a permutation test of the whole procedure, all experiments judged as the
    family that they are (Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses).
    What sides of other sizes could show is told by drawing them from all processes, with
    replacement (Efron 1979).
    """
    known = [(name, one) for name, one in comparisons if testable(one) and not one.is_recorded]
    if not known:
        return None
    rng = random.Random(seed)  # noqa: S311 - a simulation
    family = [one for _, one in known]
    rounds = min(len(one.candidate.samples) for one in family)
    alarms = _alarms(list(_deals(family, rng)))
    share = sum(alarms) / (len(alarms) * len(family))
    interleaved, stored = (_reaches(family, rng, same_session=same) for same in (True, False))
    seen = tuple(
        Seen(name, one.measurement, one.rule.metric, reach, beyond)
        for (name, one), reach, beyond in zip(known, interleaved, stored, strict=True)
    )
    return SelfCheck(
        rounds=rounds,
        deals=len(alarms),
        compared=len(family),
        false_alarms=share,
        false_alarms_at_most=at_most(share, rounds * len({one.experiment for one in family})),
        any_false_alarm=sum(map(bool, alarms)) / len(alarms),
        seen=seen,
        recommended=tuple(_recommended([(one.metric, one.reach) for one in seen])),
        recommended_stored=tuple(_recommended([(one.metric, one.stored) for one in seen])),
    )


def at_most(share: float, independent: int) -> float:
    """Upper bound of a rate of which *share* was seen among so many *independent* comparisons.

    Deals share their data, so their number says nothing of how well a rate is known. Deals that
    swap as many rounds as not, relative to each other, are uncorrelated, and of those there are
    at most as many as rounds (Hadamard); each experiment has its own. The bound is that of
    Clopper and Pearson (1934, Biometrika 26), with the share of them that the deals showed.
    """
    from scipy.special import betaincinv

    alarms = share * independent
    if alarms >= independent:
        return 1.0
    return float(betaincinv(alarms + 1, independent - alarms, CONFIDENCE))


def _deals(family: Sequence[Comparison], rng: random.Random) -> Iterator[list[Comparison]]:
    """Every way to swap the sides of rounds, if they are few and there is one experiment; else some."""
    counts = [len(one.candidate.samples) for one in family]
    if len(family) == 1 and 2 ** counts[0] <= DEALS:
        tosses: Iterator[list[int]] = ([bits] for bits in range(2 ** counts[0]))
    else:
        tosses = ([rng.getrandbits(count) for count in counts] for _ in range(DEALS))
    for swaps in tosses:
        yield [_swapped(one, bits) for one, bits in zip(family, swaps, strict=True)]


def _swapped(comparison: Comparison, bits: int) -> Comparison:
    """*comparison* with the sides of those rounds swapped whose bit is set."""
    assert comparison.baseline is not None  # noqa: S101 - it is testable
    pairs = zip(comparison.baseline.samples, comparison.candidate.samples, strict=True)
    dealt = [(b, a) if bits >> number & 1 else (a, b) for number, (a, b) in enumerate(pairs)]
    return _between(comparison, [a for a, _ in dealt], [b for _, b in dealt])


def _alarms(deals: Sequence[Sequence[Comparison]]) -> list[int]:
    """How many comparisons of each deal are called regressions."""
    if len(deals[0]) > 1:
        judged = [judge(dealt) for dealt in deals]
    else:
        judged = [[one] for one in judge(_apart(deals))]
    return [sum(one.verdict == "regressed" for one in judgements) for judgements in judged]


def _assessed(lots: Sequence[Sequence[Comparison]], experiments: int) -> list[Sequence[Assessment]]:
    """The tests of each of *lots*, which is a family of its own."""
    among = Circumstances(PRIORS, complete=True, looks=None)
    if len(lots[0]) > 1:
        return [assess(some, among, experiments) for some in lots]
    return [[one] for one in assess(_apart(lots), among, experiments)]


def _apart(lots: Sequence[Sequence[Comparison]]) -> list[Comparison]:
    """Families of one, to be judged in one go: what is not gated shares its noise with nobody."""
    return [
        replace(one, rule=replace(one.rule, informational=True), experiment=str(number))
        for number, (one,) in enumerate(lots)
    ]


def _reaches(
    family: Sequence[Comparison], rng: random.Random, *, same_session: bool
) -> list[dict[int, float]]:
    """How far beyond a tolerance a change has to lie to be found, by processes a side."""
    probes = [replace(one, rule=_probe(one.rule), same_session=same_session) for one in family]
    experiments = len({one.experiment for one in family})
    found: list[dict[int, float]] = [{} for _ in family]
    for count in COUNTS:
        draws = _assessed(
            [[_drawn(one, count, rng) for one in probes] for _ in range(DRAWS)], experiments
        )
        for reach, some, one in zip(found, zip(*draws, strict=True), family, strict=True):
            level = FAMILY_ALPHA / experiments
            far = (
                _short_of(some, _of_looks(level, count)) if same_session else _expected(some, level)
            )
            reach[count] = relative(max(far, 0.0) * _unbiased(one))
    return found


def _of_looks(level: float, count: int) -> float:
    """What is left of *level* for the last look of rounds that end once they are decided.

    Some are decided before, so that what is found with this alone is a little less than all.
    """
    import numpy as np

    looks = plan_looks(min(FIRST_LOOK, count), count)
    last = len(looks.processes) - 1
    return float(nominal_levels(np.array([level]), looks, last, np.zeros(1))[0])


def _short_of(draws: Sequence[Assessment], level: float) -> float:
    """What a change has to be beyond the tolerance to be found in four of five *draws*.

    A change moves what each draw shows by as much, so each says how large it has to be. That
    is by what the draws really scatter, whatever the prior makes of it.
    """
    from pytest_llem.baselines.evaluation import quantile

    short = sorted(
        float(quantile(1 - level, one.df)) * one.error - one.sign * math.log1p(one.change)
        for one in draws
    )
    return short[math.ceil(POWER * (len(short) + 1)) - 1]


def _expected(draws: Sequence[Assessment], level: float) -> float:
    """The same by the standard errors: days, which the draws do not have, are only assumed."""
    from pytest_llem.baselines.evaluation import quantile

    return median(
        float(quantile(1 - level, one.df) + quantile(POWER, one.df)) * one.error for one in draws
    )


def _probe(rule: Rule) -> Rule:
    return replace(rule, relative=PROBE, absolute=None, informational=False)


def _unbiased(comparison: Comparison) -> float:
    """Draws with replacement vary less than what they are drawn from, by this factor."""
    pool = 2 * len(comparison.candidate.samples)
    return math.sqrt(pool / (pool - 1))


def _drawn(comparison: Comparison, count: int, rng: random.Random) -> Comparison:
    assert comparison.baseline is not None  # noqa: S101 - it is testable
    pool = [*comparison.baseline.samples, *comparison.candidate.samples]
    return _between(comparison, rng.choices(pool, k=count), rng.choices(pool, k=count))


def _between(comparison: Comparison, a: Sequence[Sample], b: Sequence[Sample]) -> Comparison:
    return replace(comparison, baseline=Side((tuple(a),)), candidate=Side((tuple(b),)))


def _recommended(seen: Sequence[tuple[str, dict[int, float]]]) -> Iterator[Recommended]:
    """Per metric the fewest processes that serve all experiments with a tolerance that is fine.

    Nothing for a metric of which even the finest is of no use.
    """
    for metric in dict.fromkeys(metric for metric, _ in seen):
        reaches = [reach for name, reach in seen if name == metric]
        tolerances = {count: _stepped(max(one[count] for one in reaches)) for count in COUNTS}
        good = max(FINE, NEARLY * min(tolerances.values()))
        repeats = next(count for count, one in tolerances.items() if one <= good)
        if tolerances[repeats] <= USEFUL:
            yield Recommended(metric, tolerances[repeats], repeats)


def _stepped(reach: float) -> float:
    """A tolerance of which twice as much lies *reach* beyond it, rounded up to a step."""
    within = min(reach, LARGEST)
    return max(1, math.ceil(within / (1 - within) / STEP)) * STEP
