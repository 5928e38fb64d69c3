"""Anchors: fixed loops that nothing under test touches, measured in every session.

What a session did to them it is taken to have done to the experiments too: a card that draws
a percent more today draws it in the loops as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pytest_llem.baselines.metrics import metric_named
from pytest_llem.baselines.samples import Anchor
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

Loop = Literal["compute", "memory"]
Place = Literal["start", "middle", "end"]

OWN_SD = 0.003
"""Standard deviation of one reading that is assumed beforehand, relative; so 0.2 % for the
mean of three readings of either loop, and less."""
OWN_DF = 4.0


class AnchorReading(Stored):
    """One loop, measured once."""

    loop: Loop
    """Bound by arithmetic, or by memory."""
    place: Place
    """Where in the session."""
    duration_s: float = Field(gt=0)
    """Of a fixed number of turns."""
    energy_j: float | None = Field(default=None, gt=0)
    """Of the same; ``None`` if only time was measured."""


def anchor_of(readings: Sequence[AnchorReading], metric: str) -> Anchor | None:
    """Where the anchors of a session lie for *metric*; ``None`` if they say nothing of it.

    Both loops count alike, since nobody says which of them an experiment resembles. The error
    is that of their mean: the spread of readings around their loop, moderated by what is
    assumed (Smyth 2004), so that three readings that agree by chance do not pass for exact.
    """
    values: dict[Loop, list[float]] = {}
    for reading in readings:
        value = _log_of(reading, metric)
        if value is not None:
            values.setdefault(reading.loop, []).append(value)
    if not values:
        return None
    means = {loop: math.fsum(some) / len(some) for loop, some in values.items()}
    squares = math.fsum((one - means[loop]) ** 2 for loop, some in values.items() for one in some)
    df = sum(len(some) - 1 for some in values.values())
    variance = (OWN_DF * OWN_SD**2 + squares) / (OWN_DF + df)
    share = math.fsum(1 / len(some) for some in values.values()) / len(values) ** 2
    return Anchor(math.fsum(means.values()) / len(means), math.sqrt(variance * share))


def _log_of(reading: AnchorReading, metric: str) -> float | None:
    """Logarithm of what a reading says in the metric's terms: energy, time, power or pace."""
    unit = metric_named(metric).unit
    time = math.log(reading.duration_s)
    if unit in {"s", "tokens/s"}:
        return time if unit == "s" else -time
    if reading.energy_j is None or not unit.startswith(("J", "W")):
        return None
    return math.log(reading.energy_j) - (time if unit == "W" else 0.0)
