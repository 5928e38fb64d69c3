"""What is in the baselines, experiment by experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.differences import compare_fingerprints
from pytest_llem.baselines.explaining import typical
from pytest_llem.baselines.metrics import BESIDE, HEADLINE, INFORMING, METRICS
from pytest_llem.baselines.recorded.assessing import mean_of
from pytest_llem.baselines.rulebook import matches
from pytest_llem.baselines.sessions import side_of
from pytest_llem.energy.naming import QUALITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.baselines.file import BaselineSession, Entry
    from pytest_llem.baselines.store import Baselines

SHOWN = (
    HEADLINE,
    "energy_per_request_j",
    "energy_j",
    "power_w",
    "duration_s",
    "output_tokens_per_s",
    "ttft_s",
    "itl_s",
)
"""Metrics that are shown where nobody asked for others."""


@dataclass(frozen=True, slots=True)
class Catalogued:
    """One experiment on one class of hardware, with its baseline."""

    group: str
    hardware: str
    identity: str
    entry: Entry

    @property
    def name(self) -> str:
        """Group and label in the form of a node id."""
        label = self.entry.label
        return f"{self.group}[{label}]" if label else self.group

    @property
    def latest(self) -> BaselineSession:
        return self.entry.sessions[-1]

    @property
    def measurements(self) -> tuple[str, ...]:
        """Names of what was measured, the experiment's own first."""
        return tuple(self.latest.measurements)

    def value(self, measurement: str, metric: str) -> float | None:
        """Where the current sessions lie; ``None`` if that is unknown."""
        return value_of(self.entry.current, measurement, metric)


@dataclass(frozen=True, slots=True)
class Moved:
    """One metric that two baselines have otherwise."""

    measurement: str
    metric: str
    before: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        """Relative; ``None`` if one side is unknown, or the one before is zero."""
        if not self.before or self.now is None:
            return None
        return (self.now - self.before) / abs(self.before)


@dataclass(frozen=True, slots=True)
class Changed:
    """An experiment whose baseline differs between two places; one side may have none."""

    before: Catalogued | None
    now: Catalogued | None
    moved: tuple[Moved, ...] = ()
    differences: tuple[str, ...] = ()
    """What differs in where and how the two came about."""

    @property
    def either(self) -> Catalogued:
        found = self.now or self.before
        assert found is not None  # noqa: S101 - one of them is there
        return found


def value_of(sessions: Sequence[BaselineSession], measurement: str, metric: str) -> float | None:
    """Where sessions lie together, in the metric's unit; those that do not know it are left out."""
    side = side_of(sessions, measurement, metric)
    return mean_of(side) if metric.startswith(QUALITY) else typical(side)


def catalogue(
    baselines: Baselines, pattern: str | None = None, hardware: str | None = None
) -> list[Catalogued]:
    """All baselines, or those that a glob of experiments and one of hardware name, in order.

    Raises:
        BaselineError: a file cannot be read.
    """
    found = [
        Catalogued(file.group, file.hardware, identity, entry)
        for file in baselines.all()
        for identity, entry in file.entries.items()
    ]
    return sorted(
        (
            one
            for one in found
            if (pattern is None or matches(pattern, one.name) or one.identity == pattern)
            and (hardware is None or matches(hardware, one.hardware))
        ),
        key=lambda one: (one.name, one.hardware, one.identity),
    )


def summed_up(one: Catalogued) -> tuple[str, str, float] | None:
    """Measurement, metric and value that say most; ``None`` if nothing is known."""
    for metric in INFORMING:
        for measurement in one.measurements[:1]:
            if (value := one.value(measurement, metric)) is not None:
                return measurement, metric, value
    return None


def changes(
    before: Iterable[Catalogued], now: Iterable[Catalogued], metrics: Sequence[str] = SHOWN
) -> list[Changed]:
    """Every experiment whose current baseline is not the same in both places, in order."""
    sides = [
        {(one.group, one.hardware, one.identity): one for one in side} for side in (before, now)
    ]
    keys = sorted(sides[0].keys() | sides[1].keys())
    found = [_changed(sides[0].get(key), sides[1].get(key), metrics) for key in keys]
    return sorted((one for one in found if one is not None), key=lambda one: one.either.name)


def _changed(
    before: Catalogued | None, now: Catalogued | None, metrics: Sequence[str]
) -> Changed | None:
    if before is None or now is None:
        return Changed(before, now)
    if before.entry == now.entry:
        return None
    differences = compare_fingerprints(before.latest.fingerprint, now.latest.fingerprint)
    return Changed(
        before,
        now,
        tuple(_moved(before, now, metrics)),
        (*differences.refuse, *differences.differ),
    )


def _moved(before: Catalogued, now: Catalogued, metrics: Sequence[str]) -> Iterator[Moved]:
    for measurement in now.measurements:
        own = [*_recorded_in(before, measurement), *_recorded_in(now, measurement)]
        for metric in dict.fromkeys([*metrics, *(own if metrics == SHOWN else ())]):
            values = [side.value(measurement, metric) for side in (before, now)]
            if values[0] != values[1]:
                yield Moved(measurement, metric, *values)


def _recorded_in(one: Catalogued, measurement: str) -> list[str]:
    return [name for name in known_metrics(one, measurement) if name.startswith(QUALITY)]


def known_metrics(one: Catalogued, measurement: str) -> list[str]:
    """Metrics that the latest session knows of a measurement, in the order of all metrics."""
    processes = one.latest.measurements.get(measurement, ())
    known = {name for process in processes for name in process.known}
    return [name for name in METRICS if name in known] + further_metrics(known)


def further_metrics(known: Iterable[str]) -> list[str]:
    """Metrics among *known* that are named by tests and meters, in order."""
    return sorted(name for name in known if name.startswith((QUALITY, BESIDE)))
