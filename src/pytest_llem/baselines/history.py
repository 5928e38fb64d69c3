"""A metric over the sessions that a baseline has kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.baselines.catalogue import value_of
from pytest_llem.baselines.change_points import LEAST, SIGNIFICANCE, change_points
from pytest_llem.baselines.metrics import metric_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """Relative to the session before; ``None`` for the first."""
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
    logs = [math.log(value) for _, value in found]
    changed = {one.position: one.p_value for one in change_points(logs, significance=significance)}
    edges = [0, *sorted(changed), len(found)]
    means = {
        first: math.fsum(logs[first:last]) / (last - first)
        for first, last in pairwise(edges)
        if last > first
    }
    steps = {first: _grown(means[first] - means[before]) for before, first in pairwise(edges[:-1])}
    return tuple(
        Point(
            session=session,
            value=value,
            processes=len(session.samples(measurement, metric)),
            change=_grown(logs[place] - logs[place - 1]) if place else None,
            p_value=changed.get(place),
            level_change=steps.get(place),
        )
        for place, (session, value) in enumerate(found)
    )


def _grown(log_ratio: float) -> float:
    """The relative change that a difference of logarithms is; infinite beyond what floats hold."""
    try:
        return math.expm1(log_ratio)
    except OverflowError:
        return math.inf
