"""A pytest session with experiments: runs them round by round, judges them, releases their reports."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import LlemError
from pytest_llem.isolation.reports import restore_warning
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.markers import ROUNDS
from pytest_llem.runs.anchors import Anchors, wanted_sites
from pytest_llem.runs.conductor import Conductor
from pytest_llem.runs.deciding import Deciding
from pytest_llem.runs.gatekeeper import Gatekeeper
from pytest_llem.runs.items import finish_item
from pytest_llem.runs.order import ordered, ordered_in_studies
from pytest_llem.runs.pace import Pace
from pytest_llem.runs.processes import Processes, interrupt
from pytest_llem.runs.repeats import Repeated
from pytest_llem.runs.resuming.session_part import resumed_lines
from pytest_llem.runs.terminal import header, teller

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.processes import Once
    from pytest_llem.runs.settings import RunSettings
    from pytest_llem.runs.terminal import Show


class ExperimentSession:
    """Registered once experiments were collected, in every process that runs tests."""

    def __init__(
        self,
        config: pytest.Config,
        points: Sequence[Point],
        settings: RunSettings,
        rules: Mapping[str, tuple[Rule, ...]],
        *,
        may_wait: bool,
    ) -> None:
        self._config = config
        self._points = points
        self._settings = settings
        tell_of_waiting = teller(config, lambda: self.conductor.store.run_id)
        self.conductor = Conductor(settings, self._tell, tell_of_waiting)
        self.processes = Processes(config, self.conductor)
        self._gatekeeper = Gatekeeper(
            settings, self.conductor.environment, rules, may_wait=may_wait
        )
        self._deciding = Deciding(config, self.conductor, self._gatekeeper, may_wait=may_wait)
        valid = [point for point in points if point.config is not None]
        planned = sum(settings.processes(point.repeats) for point in valid)
        self.pace = Pace(planned)
        self._anchors = Anchors(self.conductor, planned)
        self._gatekeeper.anchored = self._anchors.known
        self._experiments: list[Repeated] = []
        self._begun = False
        self.say: Callable[[str, int], object] = lambda _, __: None
        """Tells a person something, from the given verbosity on."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        point = item.stash.get(POINT_KEY, None)
        if point is None or point.config is None:
            return None
        self._begin()
        experiment = Repeated(item, point, self._settings.processes(point.repeats))
        own = self._gatekeeper.rules.get(item.nodeid, ())
        experiment.kept.gates = tuple(map(str, own))
        self._experiments.append(experiment)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self._conduct(experiment, nextitem)
        if self.processes.isolated:
            finish_item(item, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Repeat the experiments of this process once each has run, round by round."""
        try:
            result = yield
            most = max((one.planned for one in self._experiments), default=1)
            for number in range(1, most):
                self._repeat(session, number)
            self._go_on(session)
            self._anchors.end()
        finally:
            self._deciding.settle(self._experiments)
        return result

    def pytest_report_collectionfinish(
        self, config: pytest.Config, items: Sequence[pytest.Item]
    ) -> list[str]:
        """Say on what machine, and with what, energy is read."""
        resumed = resumed_lines(self.conductor, items)
        return [*header(self.conductor, config, self._points), *resumed]

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Leave the deadline of isolated items to the supervisor and to their child."""
        return True if POINT_KEY in item.stash and self.processes.isolated else None

    def pytest_unconfigure(self) -> None:
        self.processes.close()

    def measure(self, item: pytest.Item, number: int, show: Show | None = None) -> Once:
        """Run *item* in one more process, its *number*-th from 0; nothing is judged or reported.

        Raises:
            KeyboardInterrupt: it was interrupted, and has no result.
        """
        self._begin()
        return self.processes.measure(item, number, show)

    def _tell(self, text: str) -> None:
        """Warn, even where the project turns warnings into errors."""
        data = {"text": text, "category": ["pytest", "PytestWarning"], "when": "runtest"}
        nowhere = {"filename": __file__, "lineno": 1, "nodeid": "", "location": None}
        for warning in restore_warning({**data, **nowhere}):
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=warning)

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        try:
            self.conductor.begin(self._points, command_of(self._config))
        except LlemError as error:
            pytest.exit(f"{type(error).__name__}: {error}", pytest.ExitCode.USAGE_ERROR)
        gated = {
            point.identity for point in self._points if point.node_id in self._gatekeeper.rules
        }
        baselines = self._gatekeeper.baselines
        sites = wanted_sites(self.conductor, self._points, gated, baselines)
        self._anchors.begin(sites, self.say, self.processes.watch)

    def _go_on(self, session: pytest.Session) -> None:
        """Add processes to undecided experiments, look by look, and release what is decided."""
        looks = self._gatekeeper.looks
        if looks is None:
            return
        for before, until in zip(looks.processes, looks.processes[1:], strict=False):
            self._anchors.before_look()
            undecided = self._deciding.look(self._experiments)
            _stop_if_told(session)
            if not undecided:
                return
            for experiment in undecided:
                experiment.planned = until
            ids = [one.kept.results[0].experiment_id for one in undecided]
            self.conductor.log.add("repeats_added", experiments=ids, processes=until)
            for number in range(before, until):
                self._repeat(session, number)

    def _repeat(self, session: pytest.Session, number: int) -> None:
        going_on = [one for one in self._experiments if one.may_go_on]
        if going_on:
            most = max(one.planned for one in going_on)
            self.say(f"llem: round {number} of {most} is done", 0)
            log = self.conductor.log
            log.add("round_started", round=number, experiments=len(going_on))
        for experiment in self._in_round(going_on, number):
            _stop_if_told(session)
            self._conduct(experiment, None)
        _stop_if_told(session)

    def _in_round(self, experiments: list[Repeated], number: int) -> list[Repeated]:
        if self._settings.shuffle_seed is not None:
            return ordered(experiments, self._settings.shuffle_seed, number)
        return ordered_in_studies(experiments, lambda one: one.item.stash.get(ROUNDS, None), number)

    def _conduct(self, experiment: Repeated, nextitem: pytest.Item | None) -> None:
        """Run an experiment once more; report it when its last process has ended, or one failed."""
        self.pace.begin()
        once = self.processes.next_of(experiment, nextitem)
        self.pace.end(told_again=once.told_again)
        interruption = once.ended.interruption
        if interruption is not None:
            if once.result is not None:
                experiment.take(once.ended, once.result, once.name, once.problem)
                self._deciding.judge(experiment)
            interrupt(interruption)
        experiment.take(once.ended, once.result, once.name, once.problem)
        if not once.told_again:
            self._anchors.process_ended()
        if experiment.planned > 1:
            process = f"process {experiment.ran} of {experiment.planned}"
            said = once.ended.account.outcome + (" (resumed)" if once.told_again else "")
            self.say(f"llem: {experiment.item.nodeid}, {process}: {said}", 1)
        self._deciding.ended(experiment)


def _stop_if_told(session: pytest.Session) -> None:
    """Do what pytest's own loop does between items."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def command_of(config: pytest.Config) -> list[str]:
    """The command line that began the session, in workers of it, too."""
    worker: dict[str, list[str]] = getattr(config, "workerinput", {})
    return list(worker.get("mainargv", sys.argv))
