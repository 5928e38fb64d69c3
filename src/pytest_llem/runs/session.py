"""A pytest session with experiments: runs them round by round, judges them, releases their reports.

Where pytest-xdist spreads them over workers, see :mod:`pytest_llem.runs.workers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.plan.markers import ROUNDS
from pytest_llem.runs.anchors import Anchors, wanted_sites
from pytest_llem.runs.deciding import Deciding
from pytest_llem.runs.item_session import ItemSession
from pytest_llem.runs.order import ordered, ordered_in_studies
from pytest_llem.runs.pace import Pace
from pytest_llem.runs.processes import interrupt
from pytest_llem.runs.release import Outlet, release
from pytest_llem.runs.resuming.session_part import resumed_lines
from pytest_llem.runs.terminal import header

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.processes import Once, Show
    from pytest_llem.runs.repeats import RepeatedItem
    from pytest_llem.runs.settings import RunSettings


class ExperimentSession(ItemSession):
    """Registered once experiments were collected, where one process runs and judges all of them."""

    def __init__(
        self,
        config: pytest.Config,
        points: Sequence[Point],
        settings: RunSettings,
        rules: Mapping[str, tuple[Rule, ...]],
    ) -> None:
        super().__init__(config, points, settings, rules)
        self._deciding = Deciding(self._gatekeeper, self._release, self._warn)
        valid = [point for point in points if point.config is not None]
        planned = sum(settings.processes(point.repeats) for point in valid)
        self.pace = Pace(planned)
        self._anchors = Anchors(self.conductor, planned)
        self._gatekeeper.anchored = self._anchors.known
        self._experiments: list[RepeatedItem] = []

    def first(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> None:
        self._experiments.append(experiment)
        self._conduct(experiment, nextitem)

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

    def measure(self, item: pytest.Item, number: int, show: Show | None = None) -> Once:
        """Run *item* in one more process, its *number*-th from 0; nothing is judged or reported.

        Raises:
            KeyboardInterrupt: it was interrupted, and has no result.
        """
        self.begin()
        return self.processes.measure(item, number, show)

    def has_begun(self) -> None:
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

    def _in_round(self, experiments: list[RepeatedItem], number: int) -> list[RepeatedItem]:
        if self._settings.shuffle_seed is not None:
            return ordered(experiments, self._settings.shuffle_seed, number)
        return ordered_in_studies(experiments, lambda one: one.item.stash.get(ROUNDS, None), number)

    def _conduct(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> None:
        """Run an experiment once more; report it when its last process has ended, or one failed."""
        self.pace.begin()
        once = self.processes.next_of(experiment, nextitem)
        self.pace.end(told_again=once.told_again)
        interruption = once.ended.interruption
        if interruption is not None:
            if once.result is not None:
                experiment.take(once.ended.reports, once.result, once.name, once.problem)
                self._deciding.judge([experiment])
            interrupt(interruption)
        experiment.take(once.ended.reports, once.result, once.name, once.problem)
        if not once.told_again:
            self._anchors.process_ended()
        if experiment.planned > 1:
            outcome = once.ended.account.outcome
            self.say(experiment.line(outcome, told_again=once.told_again), 1)
        if self._deciding.is_due(experiment):
            self._deciding.judge([experiment])

    def _release(self, experiment: RepeatedItem) -> None:
        strict, item, results = self._settings.strict, experiment.item, experiment.kept.results
        if results:
            witness = self.conductor.log.witness_of(results[-1])
            witness.judged(experiment.kept.judgements, strict=strict)

        def log(report: pytest.TestReport) -> None:
            item.ihook.pytest_runtest_logreport(report=report)

        outlet = Outlet(self._config, item.ihook, log)
        release(experiment.reports, experiment.kept, self.conductor.store, outlet, strict=strict)

    def _warn(self, text: str) -> None:
        self._config.issue_config_time_warning(pytest.PytestWarning(text), 2)


def _stop_if_told(session: pytest.Session) -> None:
    """Do what pytest's own loop does between items."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
