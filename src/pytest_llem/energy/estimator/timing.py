"""What it costs not to know exactly when the counter refreshed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.likeness import Likeness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.energy.estimator.courses.power_at import PowerAt
    from pytest_llem.energy.estimator.refreshes.refresh import Placed
    from pytest_llem.energy.estimator.surroundings import Surroundings

MOST, FAR_MORE = 2.0, 6.0
"""Refreshes are taken to jitter by no more than the first of what brackets can have hidden; scatter
beyond the second is the load's."""
BOUNDED = 0.95
"""How far 95 % of what lies between bounds reach, beside a normal distribution as wide: 0.84 where
all between them is as likely, 0.97 where the likelihood falls to either bound in a straight line.
Grids that brackets allow lie between bounds; of these two, more the latter, by simulation."""
PRODUCT = 1.25
"""The same of what lies between bounds times a power that is either high or low at each edge: 95 % of
one grid and many edges reach to 1.13, and those of a grid that lies at a bound to this."""


class Timing:
    """Nodes around a window's edges, none of which is known exactly.

    Args:
        around: what was read around the window.
        edges_ns: its start and end.
    """

    def __init__(self, around: Surroundings, edges_ns: tuple[int, int]) -> None:
        self._around, self._edges_ns = around, edges_ns
        self._slopes = self._slopes_w()
        self._nodes = [around.node(number) for number in self._slopes]

    def own_j2(self) -> float:
        """What it costs that nodes are misplaced each for itself, as :meth:`alike_j2`."""
        if self._has_grid:
            return self._each_j2(self._own_ns(node) for node in self._nodes)
        return self._each_j2(node.half_ns / math.sqrt(3) for node in self._nodes)

    def alike_j2(self, start: PowerAt, end: PowerAt) -> float:
        """Variance of a normal distribution whose 95 % reach as far, by the powers at the edges.

        On a regular grid all nodes are misplaced alike: the load is taken to be a little
        earlier or later than it is. What that costs at the start it saves at the end, as far
        as power there is alike and the period is known.
        """
        if self._has_grid:
            earlier_s, later_s = (self._misplaced_s(t_ns) for t_ns in self._edges_ns)
        else:
            earlier_s = later_s = [max(node.called_ns for node in self._nodes) / 1e9]
        together = Likeness(self._around, self._edges_ns).of_powers()
        both_w2 = together * math.sqrt(start.variance_w2 * end.variance_w2)
        return math.fsum(
            (BOUNDED * (late_s * end.mean_w - early_s * start.mean_w)) ** 2
            + PRODUCT**2
            * (
                late_s**2 * end.variance_w2
                + early_s**2 * start.variance_w2
                - 2 * late_s * early_s * both_w2
            )
            for early_s, late_s in zip(earlier_s, later_s, strict=True)
        )

    @property
    def _has_grid(self) -> bool:
        return all(node.misplaced_ns is not None for node in self._nodes)

    def _slopes_w(self) -> dict[int, float]:
        """By how much the energy grows with the instant of each node, by their numbers."""
        slopes: dict[int, float] = {}
        for t_ns, sign in zip(self._edges_ns, (-1.0, 1.0), strict=True):
            number, a, b = self._around.interval(t_ns)
            share = self._around.share(t_ns)
            power_w = (b.value - a.value) / (b.time_ns - a.time_ns) * 1e9
            slopes[number] = slopes.get(number, 0.0) + sign * (1 - share) * power_w
            slopes[number + 1] = slopes.get(number + 1, 0.0) + sign * share * power_w
        return slopes

    def _each_j2(self, deviations_ns: Iterable[float]) -> float:
        """What it costs that nodes are off by so much, each for itself."""
        slopes_w = self._slopes.values()
        return sum((s * off / 1e9) ** 2 for s, off in zip(slopes_w, deviations_ns, strict=True))

    def _misplaced_s(self, at_ns: int) -> list[float]:
        """How far the grid may be off at an instant: deviations that all instants share."""
        _, a, b = self._around.interval(at_ns)
        share = self._around.share(at_ns)
        columns = zip(a.misplaced_ns or (), b.misplaced_ns or (), strict=True)
        return [(before + share * (after - before)) / 1e9 for before, after in columns]

    def _own_ns(self, node: Placed) -> float:
        """Deviation of a node from its grid, with what its brackets may have hidden of it.

        Refreshes that jitter make the counter's steps scatter. Steps that scatter by far
        more than brackets can have hidden do so by what the load does, and tell nothing.
        """
        jitter_ns = self._around.whole.jitter_ns
        hidden_ns = min(jitter_ns, MOST * node.unshown_ns)
        told = jitter_ns < FAR_MORE * node.unshown_ns
        return math.hypot(node.jitter_ns, hidden_ns if told else 0.0)
