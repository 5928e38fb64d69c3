"""What anchors leave of sessions, as a family shows it whose experiments had sessions of their own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_llem.baselines.processes import total

if TYPE_CHECKING:
    from pytest_llem.baselines.arrays import Bools, Floats, Ints
    from pytest_llem.baselines.contrasts import Contrasts, Family
    from pytest_llem.baselines.variances import Allowance

SURENESS = 0.9
"""Confidence of the upper bound that the spread gives."""
LEAST = 0.01
"""Share of the allowance that remains in any case."""
FEWEST = 20
"""Experiments below which a spread tells next to nothing."""
OWN_ERROR = 0.5
"""Share of the anchors' own error variance that anchors have to differ by at least, to be taken
for readings of different sessions."""
TOGETHER = 3.0
"""Standard errors by which all anchors together may have moved."""
_BULK = 4.0
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
    shares = np.ones_like(allowed.value)
    for group in np.unique(groups[groups >= 0]):
        members = np.flatnonzero((groups == group) & found.held)
        shares[members] = _shown(family, found, members)
    return replace(allowed, value=allowed.value * shares) if (shares < 1).any() else None


def _shown(family: Family, found: Contrasts, members: Ints) -> float:
    """Share of the allowed variance that the spread leaves room for: 1 if it shows nothing."""
    from scipy.special import chdtri

    chosen = _apart(family, members)
    if len(chosen) < FEWEST:
        return 1.0
    (term,) = (one for one in found.terms if one.source == "sessions")
    expected = found.error()[0][chosen] ** 2
    own = (term.baseline + term.candidate)[chosen]
    part = float(np.average(own / expected, weights=1 / expected))
    ratio, df = spread((found.candidate - found.baseline)[chosen], expected)
    bound = ratio * df / float(chdtri(df, SURENESS))
    return min(1.0, max(LEAST, 1 - (1 - bound) / part))


def _apart(family: Family, members: Ints) -> Ints:
    """Some of *members*, no two of which have a session in common; none if there are few."""
    if len(members) < FEWEST:
        return members[:0]
    processes, sides = family.processes, len(family.sessions)
    everyone = (
        total(processes.anchor, family.side, sides) / family.sessions,
        total(processes.anchor_error**2, family.side, sides) / family.sessions**2,
    )
    chosen: Bools = np.ones(len(members), dtype=bool)
    for side in (2 * members, 2 * members + 1):
        anchors, variances = (some[side] for some in everyone)
        distinct, first = np.unique(anchors, return_index=True)
        if distinct.var() < OWN_ERROR * float(np.mean(variances)):
            return members[:0]
        chosen &= np.isin(np.arange(len(members)), first)
    moved = (everyone[0][2 * members + 1] - everyone[0][2 * members])[chosen]
    together = len(moved) < FEWEST or abs(moved.mean()) * math.sqrt(len(moved)) > TOGETHER * float(
        moved.std()
    )
    return members[:0] if together else members[chosen]


def spread(values: Floats, expected: Floats) -> tuple[float, float]:
    """Variance of the bulk of *values* as a multiple of *expected*, and its degrees of freedom.

    The shortest interval that holds half of them says where the bulk lies (Rousseeuw and Leroy
    1987, "Robust Regression and Outlier Detection", section 4.2); what lies beyond four
    standard deviations of it is left out. Nothing that is added to independent values makes
    that interval shorter: their concentration function can only fall (Lévy 1937; Petrov 1975,
    "Sums of Independent Random Variables", chapter 3), so that a spread of real changes errs on
    the safe side. Squares count by the inverse of their variance, as in the score of a normal
    likelihood: so it does not matter which of them were measured on because of what they were.
    """
    ordered, count = np.sort(values), len(values)
    half = count // 2 + 1
    lengths = ordered[half - 1 :] - ordered[: count - half + 1]
    start = int(np.argmin(lengths))
    centre = float(ordered[start] + ordered[start + half - 1]) / 2
    ratio = (float(lengths[start]) / 2 / _HALF) ** 2 / float(np.median(expected))
    ratio *= (1 + 5 / (count - 1)) ** 2
    for _ in range(_ROUNDS):
        kept = np.abs(values - centre) <= _BULK * np.sqrt(ratio * expected)
        shares = 1 / expected[kept] / np.sum(1 / expected[kept])
        centre = float(shares @ values[kept])
        df = 1 / float(shares @ shares) - 1
        squares = (values[kept] - centre) ** 2 / expected[kept]
        ratio = float(shares @ squares) * (df + 1) / df
    return ratio, df
