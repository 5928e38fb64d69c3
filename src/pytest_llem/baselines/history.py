"""A metric over the sessions that a baseline has kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.baselines.catalogue import value_of
from pytest_llem.baselines.change_points import LEAST, SIGNIFICANCE, change_points
from pytest_llem.baselines.metrics import metric_named
from pytest_llem.energy.naming import QUALITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.baselines.catalogue import Catalogued
    from pytest_llem.baselines.file import BaselineSession


@dataclass(frozen=True, slots=True)
class Point:
    """One session."""

    session: BaselineSession
    value: float
    """Where its processes lie, in the metric's unit."""
    processes: int
    change: float | None
    """Relative to the session before; ``None`` for the first, and where that one is zero."""
    p_value: float | None = None
    """Set where a change point is: from here on the metric is another."""
    level_change: float | None = None
    """There, by how much the mean up to the next change point differs from the one before."""


@dataclass(frozen=True, slots=True)
class History:
    """One metric of one measurement of one experiment on one class of hardware."""

    experiment: Catalogued
    measurement: str
    metric: str
    points: tuple[Point, ...]
    significance: float

    @property
    def too_short(self) -> bool:
        """Whether no change in it could be significant, whatever it was."""
        return not detectable(len(self.points), self.significance)


def detectable(sessions: int, significance: float = SIGNIFICANCE) -> bool:
    """Whether some order of so many values could be significant at all.

    The clearest change is a step in the middle: of all ways to choose which values are
    before it, two look as clear.
    """
    if sessions < 2 * LEAST:
        return False
    return 2 / math.comb(sessions, sessions // 2) <= significance


def histories(
    experiments: Sequence[Catalogued], metric: str, *, significance: float = SIGNIFICANCE
) -> Iterator[History]:
    """The history of every measurement in which *metric* is known.

    Raises:
        ConfigError: there is no such metric.
    """
    name = metric_named(metric).name
    for experiment in experiments:
        measurements = dict.fromkeys(
            name for session in experiment.entry.sessions for name in session.measurements
        )
        for measurement in measurements:
            points = _points(experiment, measurement, name, significance)
            if points:
                yield History(experiment, measurement, name, points, significance)


def _points(
    experiment: Catalogued, measurement: str, metric: str, significance: float
) -> tuple[Point, ...]:
    found = [
        (session, value)
        for session in experiment.entry.sessions
        if (value := value_of([session], measurement, metric)) is not None
    ]
    places, grown = _scale(metric, [value for _, value in found])
    changed = {
        one.position: one.p_value for one in change_points(places, significance=significance)
    }
    edges = [0, *sorted(changed), len(found)]
    means = {
        first: math.fsum(places[first:last]) / (last - first)
        for first, last in pairwise(edges)
        if last > first
    }
    steps = {first: grown(means[before], means[first]) for before, first in pairwise(edges[:-1])}
    return tuple(
        Point(
            session=session,
            value=value,
            processes=len(session.samples(measurement, metric)),
            change=grown(places[place - 1], places[place]) if place else None,
            p_value=changed.get(place),
            level_change=steps.get(place),
        )
        for place, (session, value) in enumerate(found)
    )


def _scale(
    metric: str, values: Sequence[float]
) -> tuple[list[float], Callable[[float, float], float | None]]:
    """Where *values* lie on the scale of their metric, and the relative change between two places.

    That is the logarithm, but for what a test recorded, which may be zero and less.
    """
    if metric.startswith(QUALITY):
        return list(values), _grown_from
    return [math.log(value) for value in values], _grown


def _grown_from(before: float, now: float) -> float | None:
    return (now - before) / abs(before) if before else None


def _grown(before: float, now: float) -> float:
    """The relative change that a difference of logarithms is; infinite beyond what floats hold."""
    try:
        return math.expm1(now - before)
    except OverflowError:
        return math.inf
