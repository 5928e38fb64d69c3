"""Experiments without pytest: the same conductor, driven by functions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.config.identity import config_hash
from pytest_llem.config.pinning import pinned_config
from pytest_llem.config.study import StudyConfig
from pytest_llem.errors import ConfigError
from pytest_llem.isolation.launcher import Command
from pytest_llem.isolation.output import OutputLog
from pytest_llem.plan.point import Point
from pytest_llem.plan.summary import summary
from pytest_llem.runs.books import close_books
from pytest_llem.runs.conductor import Account, Conductor, Task
from pytest_llem.runs.limits import TIMEOUT_S
from pytest_llem.runs.order import ordered
from pytest_llem.runs.outcomes import bare_outcome_of
from pytest_llem.runs.preview import outlook_of
from pytest_llem.runs.settings import RunSettings
from pytest_llem.runs.standing import standing_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.plan.stream import StudyPoints
    from pytest_llem.results.schema import ExperimentResult

FUNCTION = "pytest_llem.measure.experiment:run"
NAME = "experiment"
"""What a study of one experiment is called."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What came of a study."""

    run: Path
    """Directory of the run, with results, raw data and environment."""
    results: tuple[ExperimentResult, ...]
    """One a process, in the order they ran: all experiments once, then all again."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Points of a study file that were not run, by node id, and why: they are invalid, or measure
    what another one does."""


def default_settings(project: Path | None = None) -> RunSettings:
    """Settings of a run in *project* (default: the current directory)."""
    project = project or Path.cwd()
    return RunSettings(
        project=project,
        runs=project / ".llem",
        baselines=project / "baselines",
        timeout_s=TIMEOUT_S,
    )


def run_experiment(
    config: ExperimentConfig,
    *,
    settings: RunSettings | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ExperimentResult:
    """Measure one experiment in a fresh process and keep its result.

    An experiment that fails does not raise: the result says what happened.

    Raises:
        MeterError: no meter answers what *settings* ask for.
        LockError: others use its devices for longer than *settings* allow.
        StoreError: the result cannot be written.
    """
    study = StudyConfig(name=NAME, experiments=(config,))
    return run_study(study, settings=settings, on_progress=on_progress).results[0]


def preview_of(
    config: ExperimentConfig,
    width: int = 80,
    *,
    profile: str | None = None,
    settings: RunSettings | None = None,
) -> list[str]:
    """What :func:`run_experiment` would measure, as the dry run of a test says it.

    Args:
        config: the experiment.
        width: of lines, in columns.
        profile: system profile, into whose devices it has to fit; ``None`` is as configured or
            detected.
        settings: how it would be run.

    Raises:
        ConfigError: there is no such profile.
        BaselineError: baselines cannot be read.
    """
    settings = settings or default_settings()
    outlook = outlook_of(settings, standing=standing_here(settings.project, profile))
    outlook = replace(outlook, baselines=None)  # by which only tests and studies are judged
    groups = {NAME: [_point(NAME, config, _label(config))]}
    return [line.text for line in summary(groups, others=0, outlook=outlook, width=width)]


def run_study(
    study: StudyConfig | StudyPoints,
    *,
    settings: RunSettings | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_result: Callable[[ExperimentResult], None] | None = None,
) -> StudyResult:
    """Measure a study, each experiment in fresh processes, repeats interleaved.

    A study of a file (:func:`~pytest_llem.runs.studies.study_points`) has the names under which
    pytest runs it, and so the same baselines. Nothing is judged:
    :func:`~pytest_llem.runs.judging.judge_run` does that.

    Raises:
        MeterError: no meter answers what *settings* ask for.
        ConfigError, IsolationError: an engine has nowhere to run, or there is nothing to run;
            nothing was started.
        LockError: others use its devices for longer than *settings* allow; as below.
        StoreError: a result cannot be written; those before it are kept.
    """
    settings, points, skipped = _asked(study, settings or default_settings())
    conductor = Conductor(settings)
    results = []
    engines = {point.config.backend for point in points if point.config is not None}
    conductor.launchers.prepare(engines, engines)
    with _begun(conductor, points):
        for repeat in range(settings.repeats):
            for point in ordered(points, settings.shuffle_seed, repeat):
                results.append(_conduct(conductor, point, repeat, on_progress))
                if on_result is not None:
                    on_result(results[-1])
    return StudyResult(conductor.store.path, tuple(results), skipped)


def _asked(
    study: StudyConfig | StudyPoints, settings: RunSettings
) -> tuple[RunSettings, list[Point], dict[str, str]]:
    """How it is run, the points that are run, and why others are not."""
    if isinstance(study, StudyConfig):
        asked = study.experiments
        label = _label(asked[0]) if len(asked) == 1 else None
        points = [_point(study.name, config, label) for config in asked]
        return replace(settings, repeats=study.repeats), points, {}
    seed = settings.shuffle_seed if settings.shuffle_seed is not None else study.study.shuffle_seed
    repeats = settings.processes(study.study.repeats)
    points, skipped = _runnable(study)
    if not points:
        why = f": {next(iter(skipped.values()))}" if skipped else ""
        raise ConfigError(f"{study.group} has no point that can be run{why}.")
    return replace(settings, repeats=repeats, shuffle_seed=seed), points, skipped


def _runnable(points: Iterable[Point]) -> tuple[list[Point], dict[str, str]]:
    first: dict[str, Point] = {}
    skipped = {}
    for point in points:
        if point.invalid is not None:
            skipped[point.node_id] = point.invalid
        elif (same := first.setdefault(point.identity, point)) is not point:
            skipped[point.node_id] = f"repeats {same.node_id}"
    return list(first.values()), skipped


@contextmanager
def _begun(conductor: Conductor, points: list[Point]) -> Iterator[None]:
    conductor.begin(points, ["pytest_llem"], of_pytest=False)
    try:
        yield
    finally:
        conductor.close()
        close_books(conductor.store, conductor.settings)


def _label(config: ExperimentConfig) -> str:
    """What a person calls an experiment that stands alone."""
    folder = Path(config.model)
    return f"{folder.name if folder.is_absolute() else config.model}-{config.backend}"


def _point(group: str, config: ExperimentConfig, label: str | None = None) -> Point:
    config = pinned_config(config, Path.cwd())
    identity = config_hash(config)
    return Point(group=group, label=label or identity, config=config, identity=identity)


def _conduct(
    conductor: Conductor,
    point: Point,
    repeat: int,
    on_progress: Callable[[Progress], None] | None,
) -> ExperimentResult:
    assert point.config is not None  # noqa: S101 - made from a configuration
    if (entry := conductor.finished(point, None, repeat)) is not None:
        return entry.result
    key = (point.experiment_id, None, repeat)
    conductor.diary.running(key)
    said: dict[str, Any] = {}

    def listen(message: Message) -> None:
        if message.kind == "outcome":
            said.update(message.fields)

    log = OutputLog(conductor.store.path / "output.log")
    deadline_s = conductor.settings.timeout_s
    command = Command(["-m", "pytest_llem.isolation.child"], Path.cwd(), output=log.path)
    job = {"function": FUNCTION, "config": point.config.model_dump(mode="json")}
    task = Task(point, command, job, listen, on_progress, deadline_s, log, repeat)
    conducted = conductor.conduct(task)
    outcome, message = bare_outcome_of(said, conducted.ending, deadline_s, log)
    result = conductor.result(conducted, Account(point, outcome, message, None, repeat))
    name = conductor.keep(conducted, result)
    conductor.diary.finished(key, outcome, name)
    return result
