"""The same side twice: what this machine calls a change where there is none, and what it can see."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from pytest_llem.baselines.assessment import testable
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.samples import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.samples import Sample
    from pytest_llem.baselines.verdict import Judgement

DEALS = 200
"""Ways to deal the processes to two sides that are tried, drawn at random."""
DRAWS = 25
"""Pairs of sides of one size that are drawn to see what they could show."""
ROUNDS = (3, 5, 8, 12, 20)
"""Processes a side that are looked at."""
STEP = 0.005
"""Tolerances are recommended in steps of half a percent."""
FINE = 0.05
"""A tolerance that is fine enough, if fewer processes reach it."""


@dataclass(frozen=True, slots=True)
class SelfChecked:
    """One metric of one experiment, of which both sides are the same."""

    experiment: str
    metric: str
    processes: int
    """Of both sides."""
    false_alarms: float
    """Share of all ways to deal the processes to two sides that is called a regression."""
    reach: dict[int, float]
    """How far beyond the tolerance a change has to lie to be found four times in five, relative,
    by processes a side."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a gate on this machine should be declared with."""

    tolerance: float
    """Relative. It finds changes of twice as much."""
    rounds: int
    """Processes a side."""


def self_checked(node_id: str, comparison: Comparison, seed: int = 0) -> SelfChecked | None:
    """What dealing the processes of *comparison* anew shows; ``None`` where nothing is known.

    Both sides are the same, so every deal of their processes to two sides is one more
    comparison of a thing with itself (a permutation test of the whole procedure; Good 2005,
    Permutation, Parametric and Bootstrap Tests of Hypotheses). What sides of other sizes
    could show is told by drawing them from all processes, with replacement (Efron 1979).
    """
    if comparison.baseline is None or not testable(comparison):
        return None
    rng = random.Random(seed)  # noqa: S311 - a simulation
    pool = [*comparison.baseline.samples, *comparison.candidate.samples]
    half = len(pool) // 2
    alarms = 0
    for _ in range(DEALS):
        dealt = rng.sample(pool, len(pool))
        alarms += _judged(comparison, dealt[:half], dealt[half:]).verdict == "regressed"
    return SelfChecked(
        node_id,
        comparison.rule.metric,
        len(pool),
        alarms / DEALS,
        {count: _reach(comparison, pool, count, rng) for count in ROUNDS},
    )


def recommended(checks: Iterable[SelfChecked]) -> Recommended | None:
    """The fewest processes with which a tolerance of at most 5 % serves all experiments.

    With more processes than the most that were looked at if there are none such; ``None``
    if nothing is known.
    """
    found = list(checks)
    if not found:
        return None
    tolerances = {
        count: math.ceil(max(one.reach[count] for one in found) / STEP) * STEP for count in ROUNDS
    }
    rounds = next((n for n, tolerance in tolerances.items() if tolerance <= FINE), ROUNDS[-1])
    return Recommended(tolerances[rounds], rounds)


def _reach(comparison: Comparison, pool: Sequence[Sample], count: int, rng: random.Random) -> float:
    tolerance = comparison.rule.relative or 0.0
    seen = []
    for _ in range(DRAWS):
        sides = (rng.choices(pool, k=count) for _ in range(2))
        found = _judged(comparison, *sides).minimum_detectable_change
        if found is not None:
            seen.append(abs(found) - tolerance)
    return max(median(seen), 0.0) if seen else math.inf


def _judged(comparison: Comparison, a: Sequence[Sample], b: Sequence[Sample]) -> Judgement:
    dealt = replace(comparison, baseline=Side((tuple(a),)), candidate=Side((tuple(b),)))
    (judgement,) = judge([dealt])
    return judgement
