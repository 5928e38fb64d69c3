"""How far what is misjudged at one edge of a window is misjudged at the other."""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.energy.estimator.surroundings import Surroundings

STRICT = 5.0
"""How strictly readings must be alike for errors to be: that makes a window surer. Opposite ones,
which make it less sure, are opposite as far as readings are, but for a load in step with them: that
few readings tell of it is allowed for already."""
AT_NODE, BESIDE_NODE = 1e-4, 0.01
"""Instants so near to a node, in refreshes, are taken to be at it: for the energy from the node to
there, and for the power there, which is the same on either side of it."""


class Likeness:
    """What repeats itself is misjudged alike.

    Readings around both edges are correlated, and errors are the more so the more alike the
    edges lie in their refreshes, as the values of a Brownian bridge are. A load that beats with
    the readings is misjudged oppositely where the beat is opposite.

    Args:
        around: what was read around the window.
        edges_ns: its start and end.
    """

    def __init__(self, around: Surroundings, edges_ns: tuple[int, int]) -> None:
        self._around, self._edges_ns = around, edges_ns

    def of_energies(self, variance_j2: float) -> float:
        """Of the energies from the nodes before both edges to them, from -1 to 1.

        As power is finite, they differ by no more than it can use between. Where the two
        refreshes did not use the same, nobody knows whether that is before or after the edge.

        Args:
            variance_j2: of the energy at either of them.
        """
        if not variance_j2:
            return 0.0
        low, high = sorted(
            min(max(self._around.share(t), AT_NODE), 1 - AT_NODE) for t in self._edges_ns
        )
        most_j = self._around.whole.levels.spread_w * (high - low) * self._around.period_s
        apart = min(1 - _bridge(low, high), most_j**2 / (2 * variance_j2))
        found = self._alike(*self._edges_ns) * (1 - apart)
        middle = (low + high) / 2
        differ_j2 = self._differ_j() ** 2 * middle * (1 - middle)
        return min(found, max(1 - differ_j2 / (2 * variance_j2), 0.0))

    def _differ_j(self) -> float:
        """By how much the refreshes around both edges differ in energy."""
        first_j, last_j = (
            after.value - before.value
            for _, before, after in map(self._around.interval, self._edges_ns)
        )
        return last_j - first_j

    def of_powers(self) -> float:
        """Of the powers at both edges, from -1 to 1.

        Just before a node and just after it are one place.
        """
        (first_ns, first), (last_ns, last) = (self._place(t) for t in self._edges_ns)
        return self._alike(first_ns, last_ns) * _bridge(*sorted((first, last)))

    def _place(self, t_ns: float) -> tuple[float, float]:
        """An instant and its share of a refresh, or those of the node just after it."""
        number, _, after = self._around.interval(t_ns)
        share = self._around.share(t_ns)
        if share > 1 - BESIDE_NODE and not self._around.is_last(number + 1):
            return after.time_ns, BESIDE_NODE
        return t_ns, min(max(share, BESIDE_NODE), 1 - BESIDE_NODE)

    def _alike(self, start_ns: float, end_ns: float) -> float:
        """How far what is misjudged around two instants is the same, by how readings are."""
        found = self._around.pattern(start_ns), self._around.pattern(end_ns)
        if len(found[0]) != len(found[1]):
            return 0.0
        middle_w = self._around.whole.levels.middle_w
        first, second = ([value - middle_w for value in one] for one in found)
        scale = math.hypot(*first) * math.hypot(*second)
        if not scale:
            return 0.0
        alike = math.fsum(map(mul, first, second)) / scale
        if alike > 0 or self._around.whole.distinct is not None:  # what is in step has few values
            return math.copysign(abs(alike) ** STRICT, alike)
        return alike


def _bridge(low: float, high: float) -> float:
    """Correlation of a Brownian bridge's values at two instants between 0 and 1, in order."""
    return low * (1 - high) / math.sqrt(low * (1 - low) * high * (1 - high))
