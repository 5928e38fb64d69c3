"""Looking more than once at growing evidence, at the error rate of looking once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.arrays import Floats, Ints


FIRST_LOOK = 4
"""Processes of the first look where nobody says otherwise."""
GROWTH = 1.15
"""From one look to the next, so that little is added after the evidence suffices; a look costs next to nothing."""
SPENDING, FAILING = 1.0, 2.0
"""Exponents for passing and for failing of the power family of error spending (Kim and DeMets 1987, "Design and analysis
of group sequential tests based on the type I error spending rate function", Biometrika 74):
at a share *t* of the processes, the share ``t ** SPENDING`` of the error may be spent. Passing
early is what saves processes, of which regressions are few: their error is kept for later looks.
Where a stored baseline's part of the variance stays, most of the information is there from the
start; what is spent then is not by it (Lan, Reboussin and DeMets 1994, "Information and information
fractions for design and sequential monitoring of clinical trials")."""
_LEAST, _MOST = 1e-13, 0.5
_LEVELS = 48
_NODES = 80
SHARED = (0.0, 0.3, 0.5, 0.65, 0.8, 0.9, 0.96)
"""Shares of the last look's variance that processes do not lower, for which boundaries are
worked out; what lies between takes the smaller one, which errs on the safe side."""
_DEPTH = 9.0
"""Standard deviations below zero that integrals start at; what lies beyond does not count."""


@dataclass(frozen=True, slots=True)
class Looks:
    """At how many processes a growing experiment is looked at; a single look is no correction."""

    processes: tuple[int, ...]
    """Strictly rising."""

    @property
    def most(self) -> int:
        return self.processes[-1]

    def until(self, processes: int) -> tuple[int, ...]:
        """The looks that can be had with so many processes; the first in any case."""
        return tuple(one for one in self.processes if one <= processes) or self.processes[:1]

    def after(self, processes: int) -> int | None:
        """The next look beyond *processes*; ``None`` if that was the last."""
        return next((one for one in self.processes if one > processes), None)


def plan_looks(first: int, most: int) -> Looks:
    """Looks from *first* to *most* processes, each about 1.15 times the one before."""
    looks = [first]
    while looks[-1] < most:
        looks.append(min(most, max(looks[-1] + 1, round(looks[-1] * GROWTH))))
    return Looks(tuple(looks))


def spent(
    p_values: Floats, looks: Looks, number: int, shared: Floats, exponent: float = SPENDING
) -> Floats:
    """P values of a single look as p values of the whole plan.

    That of a look is the smallest level at which the plan would reject there; the smallest
    over the looks so far is valid at any of them ("sequential p value", Liu and Anderson 2008,
    "On adaptive extensions of group sequential trials for clinical investigations"). Used
    in Holm's procedure they control the family's error rate, since the boundaries fall with
    the level everywhere (Maurer and Bretz 2013, "Multiple testing in group sequential trials
    using graphical approaches").

    Args:
        p_values: of the look alone, one-sided.
        looks: the plan.
        number: which of its looks this is, from 0.
        shared: share of the last look's variance that all looks have in common, such as that
            of a stored baseline; 0 to 1.
        exponent: of error spending.
    """
    if len(looks.processes) == 1:
        return p_values
    import numpy as np

    found = np.empty_like(p_values)
    for step, those in _by_step(shared):
        levels, nominal = _table(looks.processes, SHARED[step], exponent)
        found[those] = _inverted(p_values[those], levels, nominal[number])
    return found


def nominal_levels(
    level: Floats, looks: Looks, number: int, shared: Floats, exponent: float = SPENDING
) -> Floats:
    """One-sided levels of look *number* alone in plans that are to err at *level* overall."""
    if len(looks.processes) == 1:
        return level
    import numpy as np

    found = np.empty_like(level)
    for step, those in _by_step(shared):
        levels, nominal = _table(looks.processes, SHARED[step], exponent)
        found[those] = np.exp(np.interp(np.log(level[those]), levels, nominal[number]))
    return found


def _by_step(shared: Floats) -> Iterator[tuple[int, Ints]]:
    import numpy as np

    steps = np.searchsorted(SHARED, shared, side="right") - 1
    for step in np.unique(steps):
        yield int(step), np.flatnonzero(steps == step)


def _inverted(p_values: Floats, levels: Floats, nominal: Floats) -> Floats:
    """The overall level whose share at a look are *p_values*; 1 beyond what is tabled."""
    import numpy as np

    here = np.log(np.clip(p_values, 1e-300, 1.0))
    found = np.interp(here, nominal, levels)
    found = np.where(here < nominal[0], here - nominal[0] + levels[0], found)
    return np.where(here > nominal[-1], 1.0, np.exp(found))


@lru_cache(maxsize=64)
def _table(processes: tuple[int, ...], shared: float, exponent: float) -> tuple[Floats, Floats]:
    """Logarithms of overall levels, and ``(looks, levels)`` of what each look has of them."""
    import numpy as np

    levels = np.geomspace(_LEAST, _MOST, _LEVELS)
    most = processes[-1]
    information = [1 / (shared + (1 - shared) * most / count) for count in processes]
    shares = np.array([(count / most) ** exponent for count in processes])
    columns = np.log(_nominal(information, shares, levels))
    # Lower levels must never come with lower boundaries: the smaller share is taken.
    return np.log(levels), np.minimum.accumulate(columns[:, ::-1], axis=1)[:, ::-1]


def _nominal(information: Sequence[float], shares: Floats, levels: Floats) -> Floats:
    """``(looks, levels)``: what each look has, so that crossing at any has the chance *levels*.

    *shares* of it may be spent by each look.

    Recursion over looks with independent increments of information (Armitage, McPherson and
    Rowe 1969; Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials";
    Jennison and Turnbull 2000, "Group Sequential Methods", chapter 19). Boundaries for
    normal deviates are taken over by their level for Student's t (there, section 3.8).
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    found = [levels * shares[0]]
    points, weights = _nodes(-ndtri(found[0]))
    density = weights * np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi)
    steps = zip(information, information[1:], np.diff(shares), strict=False)
    for before, now, share in steps:
        # Deviates of two looks correlate by the root of the ratio of their information.
        centres, step = points * math.sqrt(before / now), math.sqrt(1 - before / now)
        bound = _crossing(centres, density, step, levels * share)
        found.append(ndtr(-bound))
        points, weights = _nodes(bound)
        kernel = np.exp(-(((points[:, :, None] - centres[:, None, :]) / step) ** 2) / 2)
        carried = np.einsum("lnm,lm->ln", kernel, density)
        density = weights * carried / (step * math.sqrt(2 * math.pi))
    return np.array(found)


def _crossing(centres: Floats, density: Floats, step: float, budgets: Floats) -> Floats:
    """The bounds that are crossed with the chances *budgets*, by bisection."""
    import numpy as np
    from scipy.special import ndtr

    low, high = np.full(len(budgets), -_DEPTH), np.full(len(budgets), 2 * _DEPTH)
    for _ in range(50):
        middle = (low + high) / 2
        crossed = (density * ndtr((centres - middle[:, None]) / step)).sum(axis=1)
        low = np.where(crossed > budgets, middle, low)
        high = np.where(crossed > budgets, high, middle)
    return high


def _nodes(bounds: Floats) -> tuple[Floats, Floats]:
    """Points and weights of integrals up to each of *bounds*: ``(bounds, nodes)``."""
    points, weights = _legendre()
    half = (bounds[:, None] + _DEPTH) / 2
    return half * (points + 1) - _DEPTH, half * weights


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    import numpy as np

    points, weights = np.polynomial.legendre.leggauss(_NODES)
    return points, weights
