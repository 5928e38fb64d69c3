"""Anchors: fixed loops that nothing under test touches, measured in every session.

What a session did to them it is taken to have done to the experiments too: a card that draws
a percent more today draws it in the loops as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from pytest_llem.baselines.metrics import metric_named
from pytest_llem.baselines.samples import Anchor, unusable
from pytest_llem.energy.student import NORMAL_95, student_95
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult

Loop = Literal["compute", "memory"]
Place = Literal["start", "middle", "end"]
LOOPS: tuple[Loop, ...] = get_args(Loop)

OWN_SD = 0.003
"""Standard deviation of one reading that is assumed beforehand, relative; so 0.2 % for the
mean of three readings of either loop, and less."""
OWN_DF = 4.0
UNKNOWN_SHARE = 1 / 5
"""By how much the square of a session's gap between its loops, less that of the others, adds to
its anchor's variance. An experiment takes any share of either loop, all alike likely: then what
it really moved has a variance of a twelfth of the squared gap between what the loops moved. The
comparison adds the mean variance of both sides' anchors, once for each session's share of a side:
for any number of sessions in the baseline that comes to a twelfth or more."""


class AnchorReading(Stored):
    """One loop, measured once."""

    name: str = ""
    """The loop and its version; only readings of the same one are compared. Empty for readings
    that somebody else took."""
    loop: Loop
    """Bound by arithmetic, or by memory."""
    place: Place
    """Where in the session."""
    duration_s: float = Field(gt=0)
    """Of a fixed number of turns."""
    energy_j: float | None = Field(default=None, gt=0)
    """Of the same; ``None`` if only time was measured."""
    energy_uncertainty_j: float | None = Field(default=None, ge=0)
    """Half-width of its 95 % interval."""
    windows: int = Field(default=1, ge=1)
    """How many windows the figures are the means of."""


@dataclass(frozen=True, slots=True)
class Cancelling:
    """What the anchors of a comparison say of one metric."""

    anchors: tuple[Anchor, ...] = ()
    """One a session, the baseline's first; empty if they cannot be compared."""
    moved: Mapping[str, float] = field(default_factory=dict)
    """Relative change of each loop in this session, in the metric's terms."""
    why_not: str = ""
    """Why the session is not cancelled though there are anchors; empty if none were expected."""


def readings_for(
    experiment: ExperimentResult, anchors: Iterable[ExperimentResult]
) -> tuple[AnchorReading, ...]:
    """What *anchors*, results of the same run, took on the very devices of *experiment*.

    Those that failed, or were throttled, are left out.
    """
    fitting = [one for one in anchors if unusable(one) is None and _same_devices(one, experiment)]
    fitting.sort(key=lambda one: one.repeat)
    return tuple(
        reading
        for number, one in enumerate(fitting)
        for reading in _readings(one.measurements, _place(number, len(fitting)))
    )


def cancelling(
    before: Sequence[Sequence[AnchorReading]],
    now: Sequence[AnchorReading],
    metric: str,
    why_none: str = "",
) -> Cancelling:
    """What the anchors of the sessions *before*, and of this one, say of *metric*.

    All of these sessions have to have readings of both loops under the same names. *why_none*
    says why this one has no readings, if it has none.
    """
    with_readings = sum(map(bool, before))
    if not with_readings:
        return Cancelling()
    if not now:
        return Cancelling(why_not=f"no anchors in this session: {why_none or 'none were measured'}")
    if with_readings < len(before):
        lacking = len(before) - with_readings
        return Cancelling(
            why_not=f"no anchors in {lacking} of {len(before)} sessions of the baseline"
        )
    sessions = [*before, now]
    shared = _shared(sessions)
    if not all(any(one.loop == loop and one.name in shared for one in now) for loop in LOOPS):
        return Cancelling(why_not=f"anchors are others than the baseline's: {_names(now)}")
    chosen = [[one for one in session if one.name in shared] for session in sessions]
    anchors = [anchor_of(some, metric) for some in chosen]
    if None in anchors:
        return Cancelling()
    gaps = [_gap(some, metric) for some in chosen]
    usual = math.fsum(gaps) / len(gaps)
    return Cancelling(
        tuple(
            replace(
                anchor, error=math.hypot(anchor.error, math.sqrt(UNKNOWN_SHARE) * (gap - usual))
            )
            for anchor, gap in zip(anchors, gaps, strict=True)
            if anchor is not None
        ),
        _moved([_means(some, metric) for some in chosen]),
    )


def anchor_of(readings: Sequence[AnchorReading], metric: str) -> Anchor | None:
    """Where the anchors of a session lie for *metric*; ``None`` if they say nothing of it.

    Both loops count alike, since nobody says which of them an experiment resembles. The error
    is that of their mean: the spread of readings around their loop, moderated by what is
    assumed (Smyth 2004), so that three readings that agree by chance do not pass for exact; and
    never less than what the readings state of themselves.
    """
    values = _values(readings, metric)
    if not values:
        return None
    means = {loop: math.fsum(some) / len(some) for loop, some in values.items()}
    squares = math.fsum((one - means[loop]) ** 2 for loop, some in values.items() for one in some)
    df = sum(len(some) - 1 for some in values.values())
    variance = (OWN_DF * OWN_SD**2 + squares) / (OWN_DF + df)
    stated = [_stated(one, metric) ** 2 for one in readings]
    variance = max(variance, math.fsum(stated) / len(stated))
    share = math.fsum(1 / len(some) for some in values.values()) / len(values) ** 2
    return Anchor(math.fsum(means.values()) / len(means), math.sqrt(variance * share))


def _values(readings: Sequence[AnchorReading], metric: str) -> dict[Loop, list[float]]:
    values: dict[Loop, list[float]] = {}
    for reading in readings:
        value = _log_of(reading, metric)
        if value is not None:
            values.setdefault(reading.loop, []).append(value)
    return values


def _log_of(reading: AnchorReading, metric: str) -> float | None:
    """Logarithm of what a reading says in the metric's terms: energy, time, power or pace."""
    unit = metric_named(metric).unit
    time = math.log(reading.duration_s)
    if unit in {"s", "tokens/s"}:
        return time if unit == "s" else -time
    if reading.energy_j is None or not unit.startswith(("J", "W")):
        return None
    return math.log(reading.energy_j) - (time if unit == "W" else 0.0)


def _stated(reading: AnchorReading, metric: str) -> float:
    """Relative standard error of an energy as stated; power varies less than it, time is exact."""
    if not reading.energy_j or not metric_named(metric).unit.startswith("J"):
        return 0.0
    reach = student_95(reading.windows - 1) if reading.windows > 1 else NORMAL_95
    return (reading.energy_uncertainty_j or 0.0) / reading.energy_j / reach


def _means(readings: Sequence[AnchorReading], metric: str) -> dict[Loop, float]:
    return {loop: math.fsum(v) / len(v) for loop, v in _values(readings, metric).items()}


def _gap(readings: Sequence[AnchorReading], metric: str) -> float:
    """By how much the loops of a session differ."""
    means = _means(readings, metric)
    return means.get("compute", 0.0) - means.get("memory", 0.0)


def _moved(means: Sequence[Mapping[Loop, float]]) -> dict[str, float]:
    """From the mean of all sessions before to the last."""
    *before, now = means
    return {
        loop: math.expm1(now[loop] - math.fsum(one[loop] for one in before) / len(before))
        for loop in LOOPS
        if loop in now
    }


def _shared(sessions: Sequence[Sequence[AnchorReading]]) -> set[str]:
    """Names of the loops that all sessions have."""
    return set.intersection(*({one.name for one in session} for session in sessions))


def _names(readings: Sequence[AnchorReading]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in readings))


def _same_devices(one: ExperimentResult, other: ExperimentResult) -> bool:
    """Whether both were read in the same way from the same devices."""
    first, second = one.measurement_methodology, other.measurement_methodology
    if first is None or second is None:
        return False
    ways = [
        (how.meter, how.method, how.estimator, how.declared_w_per_core, how.shared)
        for how in (first, second)
    ]
    devices = [{device.uuid for device in how.devices} for how in (first, second)]
    return ways[0] == ways[1] and devices[0] == devices[1]


def _place(number: int, count: int) -> Place:
    if not number:
        return "start"
    return "end" if number == count - 1 else "middle"


def _readings(measurements: Sequence[Measured], place: Place) -> Iterator[AnchorReading]:
    for measured in measurements:
        loop = measured.name.partition("/")[0]
        if loop in LOOPS and measured.duration_s:
            yield AnchorReading.model_validate(
                {
                    "name": measured.name,
                    "loop": loop,
                    "place": place,
                    "duration_s": measured.duration_s,
                    "energy_j": measured.energy_j or None,
                    "energy_uncertainty_j": measured.energy_uncertainty_j,
                    "windows": max(1, sum(one.valid for one in measured.samples())),
                }
            )
