"""A run in brief: what was measured of each experiment, and what was said of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from pytest_llem._version import __version__
from pytest_llem.baselines.fingerprint import Fingerprint, fingerprint
from pytest_llem.baselines.pooling import by_experiment, pooled_result
from pytest_llem.baselines.samples import measurements_by_name
from pytest_llem.baselines.told import told_metrics, windows_energy_j, windows_s, windows_tokens
from pytest_llem.baselines.verdict import Verdict, worst
from pytest_llem.devices.meter import Method, Scope
from pytest_llem.errors import BaselineError
from pytest_llem.results.schema import Outcome, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.baselines.told import Told
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.schema import ExperimentResult

    Reported: TypeAlias = tuple[ExperimentResult, Sequence[Judgement]]
    """A process of an experiment, and what was said of the experiment."""

SUMMARY_VERSION = 1


class RunFacts(Stored):
    """What a run was; ``None`` is unknown."""

    run_id: str
    tool_version: str
    """Version of pytest-llem that measured."""
    command: tuple[str, ...]
    state: str
    """``finished``, ``interrupted``, or ``running`` where it was killed."""
    started_at: str
    """Wall clock, ISO 8601 with offset: a label."""
    finished_at: str | None
    fingerprint: str | None
    """Hash of all that the run set out to do; two runs with the same one can stand side by side."""
    repeats: int
    """Fresh processes per experiment."""
    planned: int
    """Experiments that the run set out to measure."""
    commit: str | None
    """Of the project under test, ``+dirty`` behind it if there were uncommitted changes."""
    branch: str | None
    python: str | None
    os: str | None
    cpu_model: str | None
    gpus: tuple[str, ...] | None
    """Names of the driver's GPUs; ``None`` if no driver was asked."""
    driver_version: str | None


class MetricSummary(Stored):
    """One metric; those that are unknown are left out."""

    value: float
    unit: str
    """Such as ``J/token``; empty for a share."""
    interval: tuple[float, float] | None
    """95 % interval: what energies state of themselves, else the t interval over processes, or over
    the windows of a single one; ``None`` if nothing tells it."""
    estimated: bool
    """Whether it is an estimate rather than a measurement."""
    higher_is_better: bool | None
    """``None`` for what a test recorded without saying, and whose name does not tell."""


class DeviceSummary(Stored):
    """A device whose energy was summed."""

    uuid: str
    name: str


class MeasurementSummary(Stored):
    """One measurement of an experiment, over all its processes."""

    name: str
    meter: str
    scope: Scope
    method: Method
    estimated: bool
    """Whether its energy is an estimate rather than a measurement."""
    devices: tuple[DeviceSummary, ...]
    valid: bool
    warnings: tuple[str, ...]
    windows: int
    """Windows over the whole workload, of all processes."""
    valid_windows: int
    requests: int | None
    """Of one pass, as are tokens."""
    input_tokens: int | None
    output_tokens: int | None
    metrics: dict[str, MetricSummary]
    """By name, as gates call them; energies and durations are those of one pass."""
    windows_energy_j: float | None
    """Energy of all windows of whatever phase, in joules."""
    windows_s: float
    """How long they took together, in seconds."""
    windows_input_tokens: int | None
    windows_output_tokens: int | None


class VerdictSummary(Stored):
    """What was said of one metric, compared with its baseline or with a limit."""

    metric: str
    measurement: str
    verdict: Verdict
    gated: bool
    """Whether a rule asked for it; if not, the comparison never fails a test."""
    estimated: bool | None
    """Whether what was compared is an estimate; ``None`` where the measurement is not known."""
    candidate: float | None
    """The metric now."""
    baseline: float | None
    """The metric in the baseline, or the limit."""
    change: float | None
    """Relative: 0.05 is five percent more."""
    interval: tuple[float | None, float | None] | None
    """Of the relative change; ``None`` at an end that is open."""
    tolerance: str
    minimum_detectable_change: float | None
    explanation: str


class ExperimentSummary(Stored):
    """One experiment with all its processes."""

    name: str
    """The pytest item, or group and label."""
    experiment_id: str
    config_hash: str
    """Equal for the same experiment anywhere."""
    group: str
    label: str
    node_id: str | None
    arguments: dict[str, str]
    """The test's own arguments by their ids."""
    backend: str
    model: str
    outcome: Outcome
    message: str | None
    """Why it did not pass; ``None`` if it did."""
    started_at: str
    processes: int
    """Fresh processes that have ended."""
    verdict: Verdict | None
    """That of the judgement that stands for all; ``None`` if nothing was compared."""
    verdict_gated: bool
    """Whether a rule asked for it."""
    measurements: tuple[MeasurementSummary, ...]
    """The first is the headline."""
    recorded: dict[str, MetricSummary] = Field(default_factory=dict)
    """What the test recorded of its own, by metric: ``quality.accuracy``."""
    verdicts: tuple[VerdictSummary, ...]
    fingerprint: Fingerprint | None
    """Where and how it was measured; ``None`` where it did not pass or measured nothing valid."""

    @property
    def usable(self) -> bool:
        """Whether its figures mean what they say: it passed, and all its measurements are valid."""
        return self.outcome == "passed" and all(one.valid for one in self.measurements)


class RunSummary(Stored):
    """A run in brief."""

    schema_version: Literal[1] = 1
    tool: Literal["pytest-llem"] = "pytest-llem"
    tool_version: str = __version__
    """Version of pytest-llem that wrote this."""
    run: RunFacts | None
    """``None`` if the run is not known: its manifest cannot be read, or it has no experiments."""
    experiments: tuple[ExperimentSummary, ...]
    """In the order in which they were planned."""


def run_summary(
    reported: Iterable[Reported],
    manifest: Manifest | None = None,
    environment: Environment | None = None,
) -> RunSummary:
    """The run in brief; experiments stay in the order of their first process.

    A process that was stored more than once, as when a test ran again after it had failed, counts
    as it came out the last time.
    """
    return RunSummary(
        run=None if manifest is None else run_facts(manifest, environment),
        experiments=tuple(
            _experiment(processes, judgements, environment)
            for processes, judgements in experiments_of(reported)
        ),
    )


def experiments_of(
    reported: Iterable[Reported],
) -> Iterator[tuple[list[ExperimentResult], Sequence[Judgement]]]:
    """The processes of each experiment, and what was said of it, in the order they came."""
    said: dict[tuple[str, str | None], Sequence[Judgement]] = {}
    latest: dict[tuple[str, str | None, int], ExperimentResult] = {}
    for result, judgements in reported:
        key = (result.experiment_id, result.node_id)
        said[key] = judgements
        latest[*key, result.repeat] = result
    for key, processes in by_experiment(latest.values()).items():
        yield processes, said[key]


def run_facts(manifest: Manifest, environment: Environment | None) -> RunFacts:
    """What the run was."""
    git = None if environment is None else environment.git
    gpus = None if environment is None else environment.gpus
    commit = None if git is None else git.commit
    if git is not None and commit is not None and git.dirty:
        commit += "+dirty"
    return RunFacts(
        run_id=manifest.run_id,
        tool_version=manifest.tool_version,
        command=manifest.command,
        state=manifest.state,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        fingerprint=manifest.fingerprint,
        repeats=manifest.repeats,
        planned=len(manifest.planned),
        commit=commit,
        branch=None if git is None else git.branch,
        gpus=None if gpus is None else tuple(gpu.name or "unknown" for gpu in gpus),
        **{
            name: getattr(environment, name, None)
            for name in ("python", "os", "cpu_model", "driver_version")
        },
    )


def _experiment(
    processes: Sequence[ExperimentResult],
    judgements: Sequence[Judgement],
    environment: Environment | None,
) -> ExperimentSummary:
    result = pooled_result(processes)
    decisive = worst(judgements)
    measurements = {
        name: _measurement(name, [one[name] for one in _having(processes, name)], processes)
        for name in measurements_by_name(result)
    }
    return ExperimentSummary(
        name=result.full_name,
        experiment_id=result.experiment_id,
        config_hash=result.config_hash,
        group=result.group,
        label=result.label,
        node_id=result.node_id,
        arguments=result.own_arguments,
        backend=result.config.backend,
        model=result.config.model,
        outcome=result.outcome,
        message=result.message,
        started_at=result.started_at,
        processes=len(processes),
        verdict=None if decisive is None else decisive.verdict,
        verdict_gated=decisive is not None and decisive.gated,
        measurements=tuple(measurements.values()),
        recorded={one.metric: _recorded(one) for one in result.recorded},
        verdicts=tuple(_verdict(one, measurements.get(one.measurement)) for one in judgements),
        fingerprint=_fingerprint(result, environment),
    )


def _having(processes: Sequence[ExperimentResult], name: str) -> list[dict[str, Measured]]:
    """The measurements of the processes that are pooled: those that passed, if any did."""
    passed = [one for one in processes if one.outcome == "passed"]
    found = [measurements_by_name(one) for one in passed or processes]
    return [one for one in found if name in one]


def _measurement(
    name: str, measured: Sequence[Measured], processes: Sequence[ExperimentResult]
) -> MeasurementSummary:
    first = measured[0]
    names = _device_names(processes)
    samples = [sample for one in measured for sample in one.samples()]
    input_tokens, output_tokens = windows_tokens(measured)
    return MeasurementSummary(
        name=name,
        meter=first.meter,
        scope=first.scope,
        method=first.method,
        estimated=first.estimated,
        devices=tuple(
            DeviceSummary(uuid=uuid, name=names.get(uuid, uuid)) for uuid in first.devices
        ),
        valid=all(one.valid for one in measured),
        warnings=tuple(dict.fromkeys(text for one in measured for text in one.warnings)),
        windows=len(samples),
        valid_windows=sum(sample.valid for sample in samples),
        requests=first.requests,
        input_tokens=first.input_tokens,
        output_tokens=first.output_tokens,
        metrics={one.metric.name: _metric(one) for one in told_metrics(measured)},
        windows_energy_j=windows_energy_j(measured),
        windows_s=windows_s(measured),
        windows_input_tokens=input_tokens,
        windows_output_tokens=output_tokens,
    )


def _device_names(processes: Sequence[ExperimentResult]) -> dict[str, str]:
    hows = (one.measurement_methodology for one in processes)
    return {device.uuid: device.name for how in hows if how is not None for device in how.devices}


def _recorded(figure: Recorded) -> MetricSummary:
    return MetricSummary(
        value=figure.value,
        unit=figure.unit,
        interval=_interval(figure.value, figure.uncertainty),
        estimated=False,
        higher_is_better=figure.higher_is_better,
    )


def _interval(value: float, half_width: float | None) -> tuple[float, float] | None:
    width = math.inf if half_width is None else half_width
    low, high = _finite(value - width), _finite(value + width)
    return None if low is None or high is None else (low, high)


def _metric(told: Told) -> MetricSummary:
    return MetricSummary(
        value=told.value,
        unit=told.metric.unit,
        interval=_interval(told.value, told.half_width),
        estimated=told.estimated,
        higher_is_better=told.metric.higher_is_better,
    )


def _verdict(judgement: Judgement, measurement: MeasurementSummary | None) -> VerdictSummary:
    metric = None if measurement is None else measurement.metrics.get(judgement.metric)
    interval = judgement.interval
    return VerdictSummary(
        metric=judgement.metric,
        measurement=judgement.measurement,
        verdict=judgement.verdict,
        gated=judgement.gated,
        estimated=None if metric is None else metric.estimated,
        candidate=_finite(judgement.candidate),
        baseline=_finite(judgement.baseline),
        change=_finite(judgement.change),
        interval=None if interval is None else (_finite(interval[0]), _finite(interval[1])),
        tolerance=judgement.tolerance,
        minimum_detectable_change=_finite(judgement.minimum_detectable_change),
        explanation=judgement.explanation,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _fingerprint(result: ExperimentResult, environment: Environment | None) -> Fingerprint | None:
    around = {} if environment is None else environment.model_dump(mode="json")
    try:
        return fingerprint(result, around)
    except BaselineError:
        return None
