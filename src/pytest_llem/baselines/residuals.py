"""What anchors leave of sessions, as a family shows it whose experiments had sessions of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_llem.baselines.processes import total
from pytest_llem.baselines.variances import Allowance

if TYPE_CHECKING:
    from pytest_llem.baselines.arrays import Bools, Floats, Ints
    from pytest_llem.baselines.contrasts import Contrasts, Family

FEWEST = 20
"""Experiments below which a spread tells next to nothing."""
OWN_ERROR = 0.5
"""Share of the anchors' own error variance that anchors have to differ by at least, to be taken
for readings of different sessions."""
TOGETHER = 3.0
"""Standard errors by which all anchors together may have moved."""
_CLIPPED = 3.0
_CLIPPED_VARIANCE = 0.97334
"""Of a normal distribution that is cut at three standard deviations on either side."""
_HALF = 0.6745
"""Standard deviations on either side that hold half of a normal distribution."""
_ROUNDS = 4


def anchors_leave(
    family: Family, found: Contrasts, allowed: Allowance, groups: Ints
) -> Allowance | None:
    """What is left of sessions with anchors taken off, if that is less than *allowed*.

    Where every experiment of a group had sessions of its own, how much the experiments' changes
    spread bounds what any of their sources can bring: real changes, whatever they are, only add
    to it. So the spread can lower the allowance, and never raises it, since a larger one may as
    well be real. Experiments of one session move together by what the anchors left there, which
    no spread shows: they say nothing here, and neither do those whose anchors moved all
    alike, as on a hot day that each of them saw.

    Args:
        family: processes and sessions.
        found: changes and variances with *allowed*.
        allowed: by the profile.
        groups: which comparisons are alike; -1 is with no other.

    Returns:
        ``None`` where nothing is told.
    """
    value, weight, tail_df = (
        field.copy() for field in (allowed.value, allowed.weight, allowed.tail_df)
    )
    told = False
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero((groups == group) & found.held)
        seen = _seen(family, found, members)
        if seen is None:
            continue
        share, worth = seen
        told = True
        both = weight[members] + worth
        left = (weight[members] + worth * share) / both
        spread = (weight[members] / both) ** 2 / tail_df[members] + worth / both**2
        value[members] *= left
        weight[members] = both
        tail_df[members] = left**2 / spread
    return Allowance(value, weight, tail_df) if told else None


def _seen(family: Family, found: Contrasts, members: Ints) -> tuple[float, float] | None:
    """Share of the allowed variance that the spread shows, at most 1, and what it is worth."""
    chosen, sides = _apart(family, members)
    if len(chosen) < FEWEST or not any(sides):
        return None
    (term,) = (one for one in found.terms if one.source == "sessions")
    expected = found.error()[0][chosen] ** 2
    parts = (term.baseline[chosen], term.candidate[chosen])
    own = sum((part for part, apart in zip(parts, sides, strict=True) if apart), np.zeros(1))
    part = float(np.mean(own / expected))
    ratio, df = spread((found.candidate - found.baseline)[chosen] / np.sqrt(expected))
    share = 1 - (1 - ratio) / part
    return min(1.0, max(0.0, share)), df * part**2


def _apart(family: Family, members: Ints) -> tuple[Ints, tuple[bool, bool]]:
    """Some of *members* of which no two have a session in common, and on which sides they vary."""
    processes = family.processes
    anchors = (total(processes.anchor, family.side, len(family.sessions)) / family.sessions)[
        np.stack([2 * members, 2 * members + 1])
    ]
    variances = (
        total(processes.anchor_error**2, family.side, len(family.sessions)) / family.sessions**2
    )[np.stack([2 * members, 2 * members + 1])]
    sides = tuple(
        _differ(anchor, variance) for anchor, variance in zip(anchors, variances, strict=True)
    )
    chosen: Bools = np.ones(len(members), dtype=bool)
    for anchor, apart in zip(anchors, sides, strict=True):
        if apart:
            first: Bools = np.zeros(len(members), dtype=bool)
            first[np.unique(anchor, return_index=True)[1]] = True
            chosen &= first
    moved = (anchors[1] - anchors[0])[chosen]
    if len(moved) < FEWEST or not abs(moved.mean()) <= TOGETHER * moved.std() / math.sqrt(
        len(moved)
    ):
        return members[:0], (False, False)
    return members[chosen], (sides[0], sides[1])


def _differ(anchors: Floats, variances: Floats) -> bool:
    """Whether *anchors* differ as those of different sessions do, if only by their own errors."""
    distinct = np.unique(anchors)
    return bool(
        len(distinct) >= FEWEST and distinct.var(ddof=1) >= OWN_ERROR * float(np.mean(variances))
    )


def spread(values: Floats) -> tuple[float, float]:
    """Variance of the bulk of *values*, and its degrees of freedom.

    The shortest interval that holds half of them says where the bulk lies (Rousseeuw and Leroy
    1987, "Robust Regression and Outlier Detection", section 4.2); what lies beyond three
    standard deviations of it is left out. Nothing that is added to independent values makes
    that interval shorter: their concentration function can only fall (Lévy 1937; Petrov 1975,
    "Sums of Independent Random Variables", chapter 3), so that a spread of real changes errs on
    the safe side.
    """
    ordered = np.sort(values)
    count = len(ordered)
    half = count // 2 + 1
    lengths = ordered[half - 1 :] - ordered[: count - half + 1]
    start = int(np.argmin(lengths))
    centre = (ordered[start] + ordered[start + half - 1]) / 2
    deviation = float(lengths[start]) / 2 / _HALF * (1 + 5 / (count - 1))
    kept = ordered
    for _ in range(_ROUNDS):
        kept = ordered[np.abs(ordered - centre) <= _CLIPPED * deviation]
        centre = float(kept.mean())
        deviation = float(kept.std(ddof=1)) / math.sqrt(_CLIPPED_VARIANCE)
    return deviation**2, float(len(kept) - 1)
