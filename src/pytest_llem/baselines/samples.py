"""What a comparison rests on: sessions, their processes, and the values of each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from pytest_llem.baselines.metrics import EXPLAINING, METRICS
from pytest_llem.baselines.values import beside_values, metric_values, per_window, standard_errors
from pytest_llem.energy.naming import QUALITY
from pytest_llem.energy.recorded import Recorded
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult


class ProcessSamples(Stored):
    """Everything comparable that one process measured."""

    repeat: int = Field(ge=0)
    """Number of the process among repeats of the same experiment, from 0."""
    values: dict[str, tuple[float, ...]]
    """Per metric one value a window, or a single one where it is inferred once."""
    standard_errors: dict[str, float] = Field(default_factory=dict)
    """Relative standard errors of what is inferred once per process: of energies by phase, meter or
    ``total``, of other figures by metric."""
    recorded: tuple[Recorded, ...] = ()
    """Figures of the test's own, by name, with its first measurement; none in baselines that were
    stored without them."""

    @property
    def known(self) -> tuple[str, ...]:
        """The metrics of which there is a value."""
        return (*self.values, *(one.metric for one in self.recorded))

    def figure(self, metric: str) -> Recorded | None:
        """The recorded figure that is called *metric*, if it was recorded."""
        return next((one for one in self.recorded if one.metric == metric), None)

    def sample(self, metric: str) -> Sample:
        """The values of one metric; empty if it is not known."""
        if metric.startswith(QUALITY):
            return recorded_sample(self.figure(metric))
        phase, _, quantity = metric.rpartition(".")
        name = phase if quantity.startswith("energy") else metric
        return Sample(self.values.get(metric, ()), self.standard_errors.get(name))


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric in one process."""

    values: tuple[float, ...]
    """One value a window, in the metric's unit."""
    standard_error: float | None = None
    """Stated standard error of a single value, relative but for recorded figures; ``None`` if
    windows tell it, or if a recorded figure is exact."""
    items: int | None = None
    """How many items a recorded figure is the mean of."""
    share: bool = False
    """Whether each of them was 0 or 1."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the anchors of one session lie: loops that nothing under test touches."""

    log: float
    """Logarithm of what they took, in the unit of the metric that they correct."""
    error: float
    """Standard error of that."""


@dataclass(frozen=True, slots=True)
class Side:
    """One metric on one side of a comparison: sessions of processes of windows."""

    sessions: tuple[tuple[Sample, ...], ...]
    anchors: tuple[Anchor | None, ...] = ()
    """That of each session; empty if none has any."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The processes of all sessions."""
        return tuple(sample for session in self.sessions for sample in session)

    @property
    def known(self) -> bool:
        """Whether there is a session, a process in every session, and a value in every process."""
        samples = self.samples
        return bool(samples) and all(self.sessions) and all(sample.values for sample in samples)

    @property
    def values(self) -> tuple[float, ...]:
        """All windows of all processes."""
        return tuple(value for sample in self.samples for value in sample.values)


def recorded_sample(value: Recorded | None) -> Sample:
    """A recorded figure of one process; empty if it is not known."""
    if value is None:
        return Sample(())
    return Sample((value.value,), value.standard_error, value.items, value.share)


def process_samples(
    measured: Measured, repeat: int, recorded: Sequence[Recorded] = ()
) -> ProcessSamples:
    """The samples of one measurement in one process, and what its test recorded."""
    values = {name: metric_values(measured, metric) for name, metric in METRICS.items()}
    windows = measured.samples("whole")
    values |= {name: per_window(windows, name) for name in EXPLAINING}
    values |= {name: (value,) for name, value in beside_values(measured)}
    return ProcessSamples(
        repeat=repeat,
        values={name: known for name, known in values.items() if known},
        standard_errors=standard_errors(measured),
        recorded=tuple(sorted(recorded, key=lambda one: one.name)),
    )


def measurements_by_name(result: ExperimentResult) -> dict[str, Measured]:
    """The measurements of a result; a name that occurs again gets ``#2``, then ``#3``."""
    return dict(_unique(result.measurements))


def _unique(measurements: Sequence[Measured]) -> Iterator[tuple[str, Measured]]:
    seen: Counter[str] = Counter()
    for measured in measurements:
        seen[measured.name] += 1
        number = seen[measured.name]
        yield measured.name if number == 1 else f"{measured.name}#{number}", measured


def unusable(result: ExperimentResult) -> str | None:
    """Why a result can be neither a baseline nor compared with one; ``None`` if it can."""
    if result.outcome != "passed":
        said = f": {_first_line(result.message)}" if result.message else ""
        return f"it {_OUTCOMES[result.outcome]}{said}"
    if result.measurement_methodology is None or result.headline is None:
        return "nothing was measured"
    for name, measured in measurements_by_name(result).items():
        if not measured.valid:
            why = "; ".join(measured.warnings) or "no reason was given"
            return f"the measurement {name!r} is invalid: {why}"
    return None


_OUTCOMES = {
    "failed": "failed",
    "skipped": "was skipped",
    "error": "ended with an error",
    "crashed": "crashed",
    "timed_out": "timed out",
}


def _first_line(text: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return lines[0] if lines else ""
