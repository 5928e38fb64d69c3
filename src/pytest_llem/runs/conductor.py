"""Conducting experiments: launch, observe, keep."""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__
from pytest_llem.config.identity import config_hash
from pytest_llem.devices.nvml.meter import driver_facts
from pytest_llem.energy.recorded import Recorded
from pytest_llem.isolation.memory import MemoryGuard
from pytest_llem.isolation.supervisor import Supervisor
from pytest_llem.results.environment import collect_environment
from pytest_llem.results.raw import RawData
from pytest_llem.results.schema import ExperimentResult
from pytest_llem.runs.books import open_or_create
from pytest_llem.runs.contained import for_container
from pytest_llem.runs.diary import Diary
from pytest_llem.runs.launchers import Launchers
from pytest_llem.runs.leasing import Leasing
from pytest_llem.runs.observation import Instruments
from pytest_llem.runs.resuming.plan import planned_experiments, sources_of
from pytest_llem.runs.resuming.taking_up import Now, take_up
from pytest_llem.runs.run_log import RunLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.exclusive.leases import Obstacle
    from pytest_llem.isolation.launcher import Command, Launched
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.isolation.output import OutputLog
    from pytest_llem.isolation.process_tree import ProcessTree
    from pytest_llem.isolation.supervisor import Ending
    from pytest_llem.plan.point import Point
    from pytest_llem.results.schema import Outcome
    from pytest_llem.results.store import Entry, RunStore
    from pytest_llem.runs.leasing import Leased
    from pytest_llem.runs.observation import Instrument, Observation
    from pytest_llem.runs.resuming.taking_up import TakenUp
    from pytest_llem.runs.settings import RunSettings
    from pytest_llem.runs.witness import Witness


def log(text: str) -> None:
    """Tell those who did not say how they want to be told."""
    logging.getLogger("pytest_llem").warning(text)


@dataclass(frozen=True, slots=True)
class Task:
    """One experiment to conduct in a child."""

    point: Point
    command: Command
    job: dict[str, Any]
    on_message: Callable[[Message], None]
    on_progress: Callable[[Progress], None] | None = None
    deadline_s: float | None = None
    output: OutputLog | None = None
    """What the child prints, where that goes into a file."""
    repeat: int = 0
    """Number of the process among repeats of the same experiment."""


@dataclass(frozen=True, slots=True)
class Conducted:
    """An experiment that has ended, with all that was observed."""

    observation: Observation
    engine: dict[str, Any] | None
    started_at: str
    ending: Ending | None
    """``None`` if it ran in this process."""
    isolation: str = "none"
    """How its process was started."""
    isolation_reason: str | None = None
    """Why not in the way that was asked for; ``None`` if it was."""
    lost: bool = False
    """Whether it ended because what it was forked from did."""
    workload: dict[str, Any] | None = None
    """What one pass of its model asked; ``None`` if it measured no model."""
    wall_s: float | None = None
    """From the start of its process to its end; ``None`` if it had none of its own."""
    recorded: tuple[dict[str, Any], ...] = ()
    """Figures of the test's own."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the caller knows of an ended experiment beside the observation."""

    point: Point
    outcome: Outcome
    message: str | None
    node_id: str | None
    repeat: int = 0


class Conductor:
    """Conducts the experiments of one run, and keeps what comes of them."""

    def __init__(
        self,
        settings: RunSettings,
        tell: Callable[[str], None] = log,
        tell_of_waiting: Callable[[str, Obstacle], None] | None = None,
    ) -> None:
        """A conductor with nothing begun.

        Args:
            settings: what holds for every experiment.
            tell: gets what a person should know of how experiments are started.
            tell_of_waiting: gets whom one waits for, likewise; ``None`` leaves it to *tell*.
        """
        self.settings = settings
        self.log = RunLog(settings, tell)
        tell_of_waiting = tell_of_waiting or (lambda text, _: tell(text))
        self.instruments = Instruments(settings)
        self.leasing = Leasing(
            settings, self.instruments, self.log.hearing_of_waiting(tell_of_waiting)
        )
        self.environment = collect_environment(settings.project, driver_facts())
        self._tell = self.log.hearing(tell)
        self.launchers = Launchers(settings, self._tell)
        self.taken_up: TakenUp | None = None
        """The run that goes on; ``None`` if one was begun."""
        self._store: RunStore | None = None
        self._diary: Diary | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a store."""
        return self._store is not None

    @property
    def store(self) -> RunStore:
        if self._store is None:
            raise RuntimeError("the run has not begun")
        return self._store

    @property
    def diary(self) -> Diary:
        if self._diary is None:
            raise RuntimeError("the run has not begun")
        return self._diary

    def begin(
        self, points: Sequence[Point], command_line: Sequence[str], *, of_pytest: bool = True
    ) -> None:
        """Write the run's manifest and environment, before its first experiment.

        Several processes may begin the same run: the first one writes. One that is resumed goes on.

        Raises:
            ConfigError: the run to resume is another, or something has changed since.
            StoreError: it cannot be written, or another process goes on with it.
        """
        if self._store is not None:
            return
        planned = planned_experiments(points, self.settings, of_pytest=of_pytest)
        sources = sources_of(points, self.settings.project)
        if self.settings.resume is not None:
            now = Now(command_line, planned, sources, self.environment)
            self.taken_up = take_up(self.settings, now)
            self._store, journal = self.taken_up.store, self.taken_up.journal
            for problem in self.taken_up.finished.problems:
                self._tell(f"{problem} Its experiment runs again.")
        else:
            self._store = open_or_create(
                self.settings, command_line, self.environment, planned, sources
            )
            journal = self._store.journal()
            journal.join()
        self._diary = Diary(journal, self._tell)
        meters = [choice.name for choice in self.instruments.choices]
        self.log.began(self._store, command_line, meters)
        self.log.collected(points)

    def finished(self, point: Point, node_id: str | None, repeat: int) -> Entry | None:
        """The result of a process of an experiment that had finished before the run was resumed."""
        if self.taken_up is None:
            return None
        return self.taken_up.finished.of(point.experiment_id, node_id, repeat)

    def conduct(self, task: Task) -> Conducted:
        """Run one experiment in a child and observe it to its end.

        Raises:
            ConfigError, MeterError: its devices are not there, or cannot be measured.
            LockError: others use them.
            IsolationError: no child could be started.
        """
        environ = {**os.environ, **task.command.environment}
        what = task.job.get("node_id") or task.point.label
        with (
            self.log.witnessed(task.point, task.job.get("node_id"), task.repeat) as witness,
            self.leased(task.point, what, environ) as leased,
        ):
            environment = {**task.command.environment, **leased.environment}
            command = replace(task.command, environment=environment)
            return self._observed(replace(task, command=command), leased.instrument, witness)

    def leased(
        self, point: Point, what: str, environ: Mapping[str, str]
    ) -> AbstractContextManager[Leased]:
        """The devices of *point*, for it alone; see :meth:`Leasing.leased`."""
        assert point.config is not None  # noqa: S101 - invalid points are never conducted
        return self.leasing.leased(point.config, environ, what, self.store.run_id)

    def _observed(self, task: Task, instrument: Instrument, witness: Witness) -> Conducted:
        assert task.point.config is not None  # noqa: S101 - as above
        witness.leased(instrument)
        started_at, begun_ns = wall_clock(), time.monotonic_ns()
        launched = self._launch(task.point.config, task.command)
        witness.started(launched)
        observation = instrument.observe(launched.process.tree)
        observer = observation.observer(witness.replying(launched.channel.send), witness.heard)
        supervisor = Supervisor(
            launched,
            observer,
            {"version": __version__, **task.job},
            task.deadline_s,
            task.on_message,
            task.on_progress,
            self._guard(task, launched.process.tree),
        )
        try:
            ending = supervisor.run()
        finally:
            observation.close()
        witness.ended(ending)
        return Conducted(
            observation,
            observer.engine,
            started_at,
            ending,
            launched.how,
            launched.why,
            lost=launched.lost(),
            workload=observer.workload,
            wall_s=(time.monotonic_ns() - begun_ns) / 1e9,
            recorded=tuple(observer.recorded.values()),
        )

    def close(self) -> None:
        """End what was kept running to start children from, and the log, and leave the run."""
        self.launchers.close()
        if self._diary is not None:
            self._diary.close()
        self.log.close()

    def _guard(self, task: Task, tree: ProcessTree) -> Callable[[], str | None]:
        limit = self.settings.memory_limit_bytes
        memory = None if limit is None else MemoryGuard(tree, limit)

        def guard() -> str | None:
            if task.output is not None:
                task.output.trim()
            return None if memory is None else memory.check()

        return guard

    def _launch(self, config: ExperimentConfig, command: Command) -> Launched:
        place = self.launchers.of(config.backend)
        command = replace(command, environment={**place.environment, **command.environment})
        if place.contained:
            command = for_container(command, config, self.instruments.devices())
        return place.launcher.launch(command)

    def keep(self, conducted: Conducted, result: ExperimentResult) -> str:
        """Write the result and its raw data; they are on disk when this returns.

        Returns:
            The name of the result's files within the run.
        """
        observation = conducted.observation
        raw = RawData(traces=observation.traces, marks=tuple(observation.marks))
        name = None
        try:
            name = self.store.write_result(result, raw if observation.marks else None).stem
        finally:
            self.log.witness_of(result).finished(result, name)
        return name

    def result(self, conducted: Conducted, account: Account) -> ExperimentResult:
        """What is to be kept of an ended experiment."""
        point, measured = account.point, conducted.observation.measured
        assert point.config is not None  # noqa: S101 - it has run
        return ExperimentResult(
            experiment_id=point.experiment_id,
            config_hash=config_hash(point.config),
            group=point.group,
            label=point.label,
            own_arguments=dict(point.own_arguments),
            node_id=account.node_id,
            run_id=self.store.run_id,
            repeat=account.repeat,
            outcome=account.outcome,
            message=_storable(account.message),
            started_at=conducted.started_at,
            config=point.config,
            measurement_methodology=conducted.observation.methodology(),
            steady_state_window=measured[0].steady_state_window if measured else None,
            measurements=tuple(measured),
            engine=conducted.engine,
            elsewhere=self.launchers.of(point.config.backend).elsewhere,
            workload=conducted.workload,
            isolation=conducted.isolation,
            isolation_reason=conducted.isolation_reason,
            wall_s=conducted.wall_s,
            spent=conducted.observation.spent(),
            recorded=tuple(Recorded.model_validate(one) for one in conducted.recorded),
        )


def _storable(text: str | None) -> str | None:
    """*text* without halves of surrogate pairs, which JSON in UTF-8 cannot hold."""
    return None if text is None else text.encode(errors="backslashreplace").decode()


def wall_clock() -> str:
    """Now, as ISO 8601 with offset: a label."""
    return dt.datetime.now().astimezone().isoformat(timespec="seconds")
