"""What fluctuates faster than it is shown, and so hides from every shape."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.scatter import by_quartile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.energy.estimator.sample import Node, Sample

BENDS = ((1, -1 / 2), (1, -4 / 6, 1 / 6), (1, -15 / 20, 6 / 20, -1 / 20))
"""A mean less what its neighbours predict, by a line, a cubic and a quintic through them: weights
of itself, of the nearest two, and so on."""
NODES = (1, 2, 4)
"""Nodes on either side of an instant through which the energy is interpolated."""
SMOOTH = 0.1
"""A load is smooth if more neighbours predict it so much better, in variance."""


def hidden_variance_j2(
    by_counter_j2: float,
    nodes: Sequence[Node],
    samples: Sequence[Sample],
    origin_ns: float,
    averaging_s: float,
) -> float:
    """Variance of the integral of a fast, stationary fluctuation, in J².

    A mean over the time T misses the truth by the difference of two values of that
    integral over T, which has the variance 2 V / T². How means over refreshes scatter
    about what their neighbours predict, and power readings about what the nodes do, each
    gives V; the larger is taken, since a fluctuation in step with either hides from it. A
    load that bends smoothly is predicted far better by more neighbours; one that fluctuates
    is not. Where the nodes tell what power readings between them show, the nodes' own
    scatter is the load's course.

    Args:
        by_counter_j2: the nodes' own scatter, of :func:`scatter_j2`.
        nodes: instants at which the counter is known.
        samples: power readings, each at its refresh; may be empty.
        origin_ns: the instant that nodes count from.
        averaging_s: what a power reading averages over; 0 leaves them out.
    """
    if not averaging_s:
        return by_counter_j2
    ends_s = [(sample.time_ns - origin_ns) / 1e9 for sample in samples]
    spans = [
        (end_s - averaging_s, end_s, sample.power_w)
        for end_s, sample in zip(ends_s, samples, strict=True)
    ]
    by_power_j2 = _smoothed(_by_power(nodes, spans, reach) for reach in NODES)
    return _smoothed((max(by_counter_j2, by_power_j2), by_power_j2))


def scatter_j2(nodes: Sequence[Node]) -> float:
    """That variance by how means over refreshes scatter about what their neighbours predict."""
    return _smoothed(_by_counter(nodes, bend) for bend in BENDS)


def _smoothed(variances: Iterable[float]) -> float:
    """The first, but for later ones that are far smaller."""
    return reduce(lambda one, other: other if other < SMOOTH * one else one, variances)


def share_at(position: float) -> float:
    """Variance of the energy up to a position inside a refresh (0 to 1), in units of V.

    The energy misses the straight line between two nodes by the integral at the position
    and at both nodes; near a node it is known.
    """
    spread = 1 + position**2 + (1 - position) ** 2
    return spread * min(1.0, 4 * position, 4 * (1 - position))


def missed(powers: Sequence[float], bend: Sequence[float]) -> list[float]:
    """How far each power misses what its neighbours predict, but those without all of them."""
    reach = len(bend) - 1
    return [
        math.fsum(
            weight * (powers[i - k] + powers[i + k] if k else powers[i])
            for k, weight in enumerate(bend)
        )
        for i in range(reach, len(powers) - reach)
    ]


def _by_counter(nodes: Sequence[Node], bend: Sequence[float]) -> float:
    """V by how mean powers between nodes scatter about their neighbours."""
    spans_s = [b[0] - a[0] for a, b in pairwise(nodes)]
    powers = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(nodes)]
    misses = missed(powers, bend)
    gain = bend[0] ** 2 + 2 * math.fsum(weight**2 for weight in bend[1:])
    period_s = sorted(spans_s)[len(spans_s) // 2] if spans_s else 0.0
    return _deviation(misses) ** 2 / gain * period_s**2 / 2


def _by_power(
    nodes: Sequence[Node], spans: Sequence[tuple[float, float, float]], reach: int
) -> float:
    """V by how power readings scatter about polynomials through the nodes at their ends."""
    times = [node[0] for node in nodes]
    misses = []
    for start_s, end_s, power_w in spans:
        first, last = (bisect_right(times, at_s) - reach for at_s in (start_s, end_s))
        if first < 0 or last + 2 * reach > len(nodes):
            continue
        gains: dict[int, float] = {}
        for sign, number, at_s in ((-1, first, start_s), (1, last, end_s)):
            for i, share in enumerate(_lagrange(times[number : number + 2 * reach], at_s)):
                gains[number + i] = gains.get(number + i, 0.0) + sign * share
        told_j = math.fsum(gain * nodes[number][1] for number, gain in gains.items())
        unit = math.sqrt(2 + math.fsum(gain**2 for gain in gains.values()))
        misses.append((power_w * (end_s - start_s) - told_j) / unit)
    return _deviation(misses) ** 2


def _lagrange(times: Sequence[float], at: float) -> list[float]:
    """How much each node counts in the polynomial through all, at an instant."""
    return [
        math.prod((at - other) / (own - other) for other in times if other != own) for own in times
    ]


def _deviation(misses: Sequence[float]) -> float:
    return by_quartile([abs(miss) for miss in misses]) if misses else 0.0
