"""What is in step with the readings, and so looks like something slow, or like nothing."""

from __future__ import annotations

from itertools import pairwise
from statistics import pstdev
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.line import fitted_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.sample import Node

LEAST = 8
"""Fewer nodes lie near a straight line by chance."""
SWING = 0.08
"""How far the energy of something faster than the readings strays from a straight line at most, as
a standard deviation, in units of what is used between two of them: a square wave as long as that
time, between nothing and twice the mean, strays by 0.14, and one of half that swing by 0.07."""
SHOWN = 1.5
"""Power readings that spread so many times as much as means of the counter show what is fast."""
SOON = 10.0
"""After so many parts of the time between nodes, what is fast is no longer as it was at a node."""


class Alias(NamedTuple):
    """A straight line, and something fast about it, of which nodes may show any instant."""

    power_w: float
    offset_j: float
    """At the instant that nodes count from."""
    variance_j2: float
    """Of the energy about the line."""

    def energy_j(self, at_s: float) -> float:
        """On the line."""
        return self.offset_j + self.power_w * at_s

    def unsure_j2(self, share: float, off_j: float) -> float:
        """Variance of an energy inside a refresh.

        Args:
            share: where in it, from 0 to 1; at its ends the energy is known.
            off_j: how far what was estimated lies from the line.
        """
        near = min(1.0, SOON * share, SOON * (1 - share))
        return near * (self.variance_j2 + off_j * off_j)


def alias_of(nodes: Sequence[Node], powers: Sequence[float]) -> Alias | None:
    """What is fast, if that may be all that the nodes show beside a constant power.

    Energy of something that repeats itself faster than nodes follow one another strays from a
    straight line by little, and by the same between nodes as at them: nodes are samples of it.
    What strays further is slow.

    Args:
        nodes: instants at which the counter is known.
        powers: power readings around, in watts; may be empty.

    Returns:
        ``None`` where it cannot be, or would be seen in power readings.
    """
    if len(nodes) < LEAST:
        return None
    line = _line(nodes)
    means = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(nodes)]
    period_s = (nodes[-1][0] - nodes[0][0]) / (len(nodes) - 1)
    if line.variance_j2 > (SWING * line.power_w * period_s) ** 2:
        return None
    return None if powers and pstdev(powers) > SHOWN * pstdev(means) else line


def _line(nodes: Sequence[Node]) -> Alias:
    """The least-squares line, and the variance about it."""
    offset_j, power_w = fitted_line(nodes)
    squares = sum((e - offset_j - power_w * t) ** 2 for t, e in nodes)
    return Alias(power_w, offset_j, squares / (len(nodes) - 2))
