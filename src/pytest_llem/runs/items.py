"""pytest items that are experiments: each conducted in a process of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem._compat import base_temp, run_phases, teardown_exact, terminal_lent
from pytest_llem.errors import LlemError
from pytest_llem.isolation.arguments import arguments_for
from pytest_llem.isolation.inprocess import OwnProcess, observed
from pytest_llem.isolation.launcher import Command, Preparation
from pytest_llem.isolation.output import OutputLog
from pytest_llem.isolation.pytest_child import CHILD, Child
from pytest_llem.isolation.reports import (
    failed_report,
    missing_phase,
    owed_report,
    restore,
    restore_warning,
)
from pytest_llem.isolation.worker_input import worker_input
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.runs.conductor import Account, Conducted, Task, wall_clock
from pytest_llem.runs.outcomes import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.interpreter import Interpreter
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.conductor import Conductor
    from pytest_llem.runs.observation import Instrument
    from pytest_llem.runs.witness import Witness


MODULES = (
    "pytest_llem.measure.drive",
    "pytest_llem.measure.instrument",
    "pytest_llem.measure.link",
    "pytest_llem.measure.recording",
    "pytest_llem.measure.session",
    "pytest_llem.measure.traffic",
    "pytest_llem.measure.work",
    "pytest_llem.measure.workload",
    "pytest_llem.config.experiment",
    "pytest_llem.config.phases",
    "pytest_llem.energy.measured",
    "pytest_llem.workloads.batch",
    "pytest_llem.workloads.traffic",
    "pytest_llem.workloads.workload",
)
"""What every child imports to measure."""


@dataclass(slots=True)
class Heard:
    """What a child said beside its measurements."""

    config: pytest.Config
    reports: list[pytest.TestReport] = field(default_factory=list)
    uncollected: list[str] = field(default_factory=list)
    interruption: dict[str, Any] | None = None

    def listen(self, message: Message) -> None:
        if message.kind == "report":
            self.reports.extend(restore(self.config, message.fields["data"]))
        elif message.kind == "warning":
            for warning in restore_warning(message.fields["data"]):
                self.config.hook.pytest_warning_recorded.call_historic(kwargs=warning)
        elif message.kind == "uncollected":
            self.uncollected.append(message.fields["message"])
        elif message.kind == "interrupted":
            self.interruption = message.fields


@dataclass(frozen=True, slots=True)
class ConductedItem:
    """An item that has run, with the reports it is to be shown by."""

    item: pytest.Item
    account: Account
    conducted: Conducted | None
    """``None`` if nothing could be started."""
    reports: list[pytest.TestReport]
    interruption: dict[str, Any] | None


class ItemConductor:
    """Conducts single items; knows pytest on one side and the conductor on the other."""

    def __init__(self, config: pytest.Config, conductor: Conductor) -> None:
        self._config = config
        self._conductor = conductor
        self._count = 0
        self._worker_input = worker_input(config)
        self._output = tempfile.TemporaryDirectory(prefix="llem-output-")

    def close(self) -> None:
        self._conductor.close()
        self._output.cleanup()

    def isolated(
        self,
        item: pytest.Item,
        point: Point,
        on_progress: Callable[[Progress], None] | None,
        repeat: int = 0,
    ) -> ConductedItem:
        """Run *item* in a fresh process, the *repeat*-th one of it from 0."""
        deadline_s = None if self._debugging else self._conductor.settings.timeout_s
        lost = True
        while lost:
            heard = Heard(self._config)
            output = self._output_file()
            command, job = self._command(item, point, output), self._job(item, point)
            log = OutputLog(output) if output else None
            task = Task(point, command, job, heard.listen, on_progress, deadline_s, log, repeat)
            try:
                with terminal_lent(self._config) if self._debugging else nullcontext():
                    conducted = self._conductor.conduct(task)
            except LlemError as error:
                return not_conducted(item, point, error)
            lost = conducted.lost and missing_phase(heard.reports) is not None
            if lost:
                again = self._conductor.log.witness(point, item.nodeid, repeat)
                again.retried("what its process was forked from has ended")
        self._add_owed_report(item, heard, conducted, deadline_s, log)
        if log is not None:
            log.remove()
        if heard.reports and conducted.ending is not None and conducted.ending.garbage:
            said = f"{conducted.ending.garbage} messages of the process made no sense"
            heard.reports[-1].sections.append(("llem", f"{said} and were passed over"))
        outcome, message = outcome_of(heard.reports, conducted)
        account = Account(point, outcome, message, item.nodeid, repeat)
        return ConductedItem(item, account, conducted, heard.reports, heard.interruption)

    def in_process(
        self, item: pytest.Item, point: Point, nextitem: pytest.Item | None
    ) -> ConductedItem:
        """Run *item* here, for debugging."""
        with ExitStack() as stack:
            leased = self._conductor.leased(point, item.nodeid, os.environ)
            try:
                with self._conductor.log.witnessed(point, item.nodeid, 0) as witness:
                    instrument = stack.enter_context(leased).instrument
            except LlemError as error:
                finish_item(item, nextitem)
                return not_conducted(item, point, error)
            return self._observed_here(item, point, nextitem, instrument, witness)

    def _observed_here(
        self,
        item: pytest.Item,
        point: Point,
        nextitem: pytest.Item | None,
        instrument: Instrument,
        witness: Witness,
    ) -> ConductedItem:
        assert point.config is not None  # noqa: S101 - invalid points are never conducted
        witness.leased(instrument)
        started_at = wall_clock()
        witness.started(None)
        observation = instrument.observe(OwnProcess())
        observers = []

        def make(reply: Callable[..., None]) -> Any:
            observers.append(observation.observer(witness.replying(reply), witness.heard))
            return observers[-1]

        with ExitStack() as stack:
            stack.callback(witness.ended, None)
            stack.callback(observation.close)
            channel = stack.enter_context(observed(make))
            job = {"config": point.config.model_dump(mode="json")}
            self._config.stash[CHILD] = Child(channel, job)
            reports = run_phases(item, nextitem)
        conducted = Conducted(
            observation,
            observers[0].engine,
            started_at,
            None,
            workload=observers[0].workload,
            recorded=tuple(observers[0].recorded.values()),
        )
        account = Account(point, *outcome_of(reports, conducted), item.nodeid)
        return ConductedItem(item, account, conducted, reports, None)

    @property
    def _debugging(self) -> bool:
        return bool(self._config.getoption("usepdb") or self._config.getoption("trace"))

    def _output_file(self) -> Path | None:
        self._count += 1
        if self._debugging or self._config.getoption("capture") == "no":
            return None
        return Path(self._output.name) / f"{self._count}.log"

    def _command(self, item: pytest.Item, point: Point, output: Path | None) -> Command:
        config = self._config
        directory = config.invocation_params.dir
        arguments, environment = self._arguments(point)
        here_is_importable = {"", str(directory)} & set(sys.path)
        safe_path = [] if here_is_importable else ["-P"]
        return Command(
            [*safe_path, "-m", "pytest", *arguments],
            directory,
            environment,
            output=output,
            terminal=self._debugging,
            directories=(base_temp(config), config.rootpath),
            preparation=self._preparation(item, point),
        )

    def _preparation(self, item: pytest.Item, point: Point) -> Preparation:
        assert point.config is not None  # noqa: S101 - invalid points are never conducted
        loads_model = "model" in getattr(item, "fixturenames", ())
        return Preparation(
            file=str(item.path),
            workerinput=self._worker_input,
            basetemp=str(base_temp(self._config) / "llem-host"),
            modules=MODULES,
            experiment=point.config.model_dump(mode="json") if loads_model else None,
        )

    def _there(self, point: Point) -> Interpreter | None:
        assert point.config is not None  # noqa: S101 - as above
        return self._conductor.launchers.of(point.config.backend).interpreter

    def _arguments(self, point: Point) -> tuple[list[str], dict[str, str]]:
        """Our own, as far as they mean something where *point* runs; variables beside them."""
        config = self._config
        environment: dict[str, str] = {}
        arguments = [str(argument) for argument in config.invocation_params.args]
        there = self._there(point)
        if there is not None:
            arguments, environment = arguments_for(config, arguments, there)
        if config.pluginmanager.has_plugin("pytest_cov") and (
            there is None or there.has("pytest-cov")
        ):
            arguments.append("--no-cov")  # a worker's coverage needs a master; see docs
        return arguments, environment

    def _job(self, item: pytest.Item, point: Point) -> dict[str, Any]:
        assert point.config is not None  # noqa: S101 - as above
        _, separator, names = item.nodeid.partition("::")
        return {
            "node_id": item.nodeid,
            "argument": f"{item.path}{separator}{names}",
            "basetemp": str(base_temp(self._config) / f"llem-{self._count}"),
            "workerinput": self._worker_input,
            "contained": self._conductor.launchers.of(point.config.backend).contained,
            "config": point.config.model_dump(mode="json"),
        }

    def _add_owed_report(
        self,
        item: pytest.Item,
        heard: Heard,
        conducted: Conducted,
        deadline_s: float | None,
        log: OutputLog | None,
    ) -> None:
        phase = missing_phase(heard.reports)
        if phase is None or conducted.ending is None or heard.interruption:
            return
        text = log.end() if log else ""
        if heard.uncollected:
            text = "\n".join(heard.uncollected) + "\n" + text
        if (there := self._there(item.stash[POINT_KEY])) is not None:
            text = f"It ran under {there.executable} ({there.python}).\n{text}"
        heard.reports.append(owed_report(item, phase, conducted.ending, deadline_s, text))


def not_conducted(item: pytest.Item, point: Point, error: LlemError) -> ConductedItem:
    """An item whose devices are not there, or for which no process could be started."""
    message = f"{type(error).__name__}: {error}"
    account = Account(point, "error", message, item.nodeid)
    return ConductedItem(item, account, None, [failed_report(item, "setup", message)], None)


def finish_item(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down what the item before left, as if this one had run here."""
    teardown_exact(item, nextitem)
