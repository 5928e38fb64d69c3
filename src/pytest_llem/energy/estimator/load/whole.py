"""The load as a whole, by all that was read from well before a window to well after it."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.courses.transition import transition_of
from pytest_llem.energy.estimator.load.aliasing import alias_of
from pytest_llem.energy.estimator.load.averaging import unexplained_share
from pytest_llem.energy.estimator.load.hidden import hidden_variance_j2, scatter_j2
from pytest_llem.energy.estimator.load.jitter import jitter_ns
from pytest_llem.energy.estimator.load.levels import levels_of, spread_of_w

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.courses.transition import Transition
    from pytest_llem.energy.estimator.load.aliasing import Alias
    from pytest_llem.energy.estimator.load.levels import Levels
    from pytest_llem.energy.estimator.refreshes.refresh import Placed
    from pytest_llem.energy.estimator.sample import Node, Sample

SECOND_NS = 1e9
SELDOM = 1.5
"""Where so many refreshes of the counter fall on one of the power reading, the counter shows
better what plateaus there are."""
MISPLACED = 5 / 3
"""How much a misplaced node adds to what scatters about neighbours, in units of its variance."""
SAME = 0.02
"""Readings that differ by no more of their spread are the same again."""
LONG = 4
"""Loads that repeat themselves after fewer refreshes show too little to tell what they return to
by how often they do."""


def repeats_after(values: Sequence[float], same: float) -> int | None:
    """After how many values they are the same again, if they are; two at least."""
    return next(
        (
            after
            for after in range(2, len(values) // 2 + 1)
            if all(abs(values[i] - values[i + after]) <= same for i in range(len(values) - after))
        ),
        None,
    )


class Whole:
    """What a stretch of nodes, and all power readings, say of what the load does.

    Args:
        nodes: instants at which the counter is known, two or more in order.
        samples: power readings, each at its refresh; empty where they are too few.
        period_s: time between nodes near the window.
        power_period_s: time between power readings.
        jitters: whether nodes are refreshes, which may jitter, and not looks of our own.
    """

    def __init__(
        self,
        nodes: Sequence[Placed],
        samples: Sequence[Sample],
        *,
        period_s: float,
        power_period_s: float,
        jitters: bool,
    ) -> None:
        self._placed, self._samples, self._jitters = nodes, samples, jitters
        self._period_s = period_s
        self._powers_each = period_s / power_period_s if samples else 0.0
        self._shows_levels = bool(samples) and power_period_s < SELDOM * period_s
        self._origin_ns, self._origin_j = nodes[0].time_ns, nodes[0].value
        self._nodes: list[Node] = [
            ((node.time_ns - self._origin_ns) / SECOND_NS, node.value - self._origin_j)
            for node in nodes
        ]
        self._means_w = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(self._nodes)]
        self._powers_w = [sample.power_w for sample in samples]
        self._hidden_j2: dict[float, float] = {}

    @cached_property
    def levels(self) -> Levels:
        """Powers to which the load returns, by what is read most often.

        Those that a load in step with them repeats count once: what a refresh has in the mean
        comes again each time, though power never stood at it.
        """
        powers_w = self._powers_w if self._shows_levels else []
        found = levels_of(self._means_w, powers_w)
        if (after := self._repeats_after) is None or after < LONG:
            return found
        count = round(after * self._powers_each)
        once = levels_of(self._means_w[:after], powers_w[:count])
        return found._replace(levels=once.levels)

    @cached_property
    def highest_w(self) -> float:
        """The most power that was read, or that a refresh had in the mean."""
        return max((*self._powers_w, *self._means_w))

    @cached_property
    def distinct(self) -> int | None:
        """How many readings differ, where they repeat themselves as the load is in step with them.

        ``None`` where they do not, and each is of another part of the load.
        """
        after = self._repeats_after
        return None if after is None else round(after * (1 + self._powers_each))

    @cached_property
    def _repeats_after(self) -> int | None:
        """After how many refreshes the load repeats itself, in step with them, if it does."""
        powers_w = self._powers_w if self._shows_levels else []
        same_w = SAME * spread_of_w(self._means_w, powers_w)
        if max(self._means_w) - min(self._means_w) <= same_w:  # nothing is repeated
            return None
        return repeats_after(self._means_w, same_w)

    @cached_property
    def transition(self) -> Transition:
        """How power goes from one plateau to the next."""
        return transition_of(self._means_w, self._period_s, self.levels.mean_ripple_w)

    def plateau_ripple_j(self, averaging_s: float) -> float:
        """Standard deviation of the energy by which a reading on a plateau misses it."""
        shown_s = averaging_s if self._shows_levels else self._period_s
        return self.levels.plateau_ripple_w * shown_s

    def unexplained_share(self, averaging_s: float) -> float | None:
        """How far power readings are from the counter's mean over so long, beside their spread."""
        return unexplained_share(self._nodes, self._samples, self._origin_ns, averaging_s)

    def hidden_j2(self, averaging_s: float) -> float:
        """Variance of the integral of what fluctuates faster than it is shown."""
        if averaging_s not in self._hidden_j2:
            found_j2 = hidden_variance_j2(
                self._scatter_j2, self._nodes, self._samples, self._origin_ns, averaging_s
            )
            self._hidden_j2[averaging_s] = max(found_j2 - self._mostly_misplaced_j2, 0.0)
        return self._hidden_j2[averaging_s]

    def aliased_j2(
        self, at_ns: float, before: Placed, share: float, energy_j: float
    ) -> float | None:
        """Variance of an estimated energy by what may be in step with all readings.

        Args:
            at_ns: an instant.
            before: the node before it.
            share: where the instant lies between that node and the next, from 0 to 1.
            energy_j: estimated, from the node to the instant.

        Returns:
            ``None`` if nothing can be in step.
        """
        if (alias := self._alias) is None:
            return None
        line_j = alias.energy_j((at_ns - self._origin_ns) / SECOND_NS)
        return alias.unsure_j2(share, energy_j - line_j + before.value - self._origin_j)

    @cached_property
    def _alias(self) -> Alias | None:
        return alias_of(self._nodes, self._powers_w)

    @cached_property
    def jitter_ns(self) -> float:
        """The deviation of the counter's refreshes that would explain how its steps scatter."""
        return jitter_ns(self._nodes)

    @cached_property
    def _scatter_j2(self) -> float:
        return scatter_j2(self._nodes)

    @cached_property
    def _mostly_misplaced_j2(self) -> float:
        """What usual nodes put on their wrong sides looks like something hidden of this variance."""
        middle_w = self.levels.middle_w
        return MISPLACED * median(self.misplaced_j2(node, middle_w) for node in self._placed[:-1])

    def misplaced_j2(self, node: Placed, power_w: float) -> float:
        """Variance of the energy on the wrong side of a node that lies on no grid."""
        if not self._jitters or node.misplaced_ns is not None:
            return 0.0
        return (power_w * node.half_ns / SECOND_NS) ** 2 / 3
