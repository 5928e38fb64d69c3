"""Where a series changes: E-divisive with means.

Matteson and James (2014), "A Nonparametric Approach for Multiple Change Point Analysis of
Multivariate Data", Journal of the American Statistical Association 109, 334-345, for one
dimension. Distances between values stand for differences of distributions (Székely and Rizzo
2005), so that nothing is assumed of the noise but a finite mean. Change points are found one
after another, each where the divergence of what is before from what is behind is largest, as
long as a permutation test within the segments found so far calls it significant.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNIFICANCE = 0.05
PERMUTATIONS = 199
"""As many as the paper uses: the smallest p value is 1/200."""
ROUNDING = 1e-9
"""Relative: what permuted values reach but for rounding, they reach."""
LEAST = 2
"""Values on either side of a change point; one alone has no spread of its own."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The value from which a series is another."""

    position: int
    """Index of the first value behind the change."""
    p_value: float
    """Of the permutation test by which it was found."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    divergence: float
    position: int


def change_points(
    values: Sequence[float],
    *,
    significance: float = SIGNIFICANCE,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[ChangePoint]:
    """The change points of *values*, in order; the same for the same *seed*.

    Neither the unit of the values nor an offset matters. The chance that a series without
    any change gets one is *significance*.
    """
    rng = random.Random(seed)  # noqa: S311 - permutations, no secrets
    found: list[ChangePoint] = []
    best: dict[tuple[int, int], _Candidate | None] = {}
    while True:
        segments = _segments(len(values), found)
        for first, last in segments:
            if (first, last) not in best:
                best[first, last] = _best(values[first:last], first)
        candidates = [one for segment in segments if (one := best[segment]) is not None]
        if not candidates:
            return sorted(found, key=lambda one: one.position)
        largest = max(candidates, key=lambda one: (one.divergence, -one.position))
        reached = largest.divergence - ROUNDING * abs(largest.divergence)
        exceeding = sum(_permuted(values, segments, rng) >= reached for _ in range(permutations))
        p_value = (1 + exceeding) / (1 + permutations)
        if largest.divergence <= 0 or p_value > significance:
            return sorted(found, key=lambda one: one.position)
        found.append(ChangePoint(largest.position, p_value))


def divergence(before: Sequence[float], behind: Sequence[float]) -> float:
    """The scaled sample divergence of two samples of at least two values each.

    Formula (5) of the paper with an exponent of 1: zero in expectation where both are of one
    distribution.
    """
    n, m = len(before), len(behind)
    between = sum(abs(x - y) for x in before for y in behind)
    return _scaled(between, _within(before), _within(behind), n, m)


def _within(values: Sequence[float]) -> float:
    return sum(abs(x - y) for place, x in enumerate(values) for y in values[:place])


def _scaled(between: float, before: float, behind: float, n: int, m: int) -> float:
    """From sums of distances, those within counting each pair once."""
    spread = 2 * before / (n * (n - 1)) + 2 * behind / (m * (m - 1))
    return n * m / (n + m) * (2 * between / (n * m) - spread)


def _segments(length: int, found: Sequence[ChangePoint]) -> list[tuple[int, int]]:
    edges = [0, *sorted(one.position for one in found), length]
    return list(pairwise(edges))


def _best(values: Sequence[float], offset: int) -> _Candidate | None:
    """The split of *values* with the largest divergence; ``None`` if they are too few.

    What is behind the split may end before the segment does, as in the paper, so that a
    second change does not hide the first. Sums are carried along: each pair of split and
    end costs one step.
    """
    length = len(values)
    if length < 2 * LEAST:
        return None
    cumulated = _cumulated(values)

    def block(rows: int, first: int, last: int) -> float:
        """Sum of distances between the first *rows* values and those from *first* to *last*."""
        return cumulated[rows][last] - cumulated[rows][first]

    best: _Candidate | None = None
    for split in range(LEAST, length - LEAST + 1):
        before = cumulated[split][split] / 2
        for end in range(split + LEAST, length + 1):
            between = block(split, split, end)
            behind = (block(end, split, end) - between) / 2
            found = _scaled(between, before, behind, split, end - split)
            if best is None or found > best.divergence:
                best = _Candidate(found, offset + split)
    return best


def _cumulated(values: Sequence[float]) -> list[list[float]]:
    """Sums of distances between the first *i* and the first *j* values."""
    rows = [[0.0] * (len(values) + 1)]
    for x in values:
        above, row, total = rows[-1], [0.0], 0.0
        for place, y in enumerate(values, 1):
            total += abs(x - y)
            row.append(above[place] + total)
        rows.append(row)
    return rows


def _permuted(
    values: Sequence[float], segments: Sequence[tuple[int, int]], rng: random.Random
) -> float:
    """The largest divergence once the values of every segment have changed places."""
    largest = float("-inf")
    for first, last in segments:
        shuffled = list(values[first:last])
        rng.shuffle(shuffled)
        found = _best(shuffled, first)
        largest = max(largest, found.divergence if found is not None else largest)
    return largest
