"""A worker of pytest-xdist: runs experiments, stores them, and hands their reports over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem._compat import forget_group
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.markers import ROUNDS
from pytest_llem.runs.item_session import ItemSession
from pytest_llem.runs.processes import interrupt
from pytest_llem.runs.resuming.session_part import resumed_lines
from pytest_llem.runs.terminal import header
from pytest_llem.runs.workers.link import Link
from pytest_llem.runs.workers.messages import Process, problem_said

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.processes import Once
    from pytest_llem.runs.repeats import RepeatedItem
    from pytest_llem.runs.settings import RunSettings
    from pytest_llem.runs.workers.link import Commanded


class WorkerSession(ItemSession):
    """Registered once experiments were collected, in every worker."""

    def __init__(
        self,
        session: pytest.Session,
        points: Sequence[Point],
        settings: RunSettings,
        rules: Mapping[str, tuple[Rule, ...]],
        *,
        serves: bool,
    ) -> None:
        """One that *serves* has further processes to run once the tests have run."""
        super().__init__(session.config, points, settings, rules)
        self._serves = serves
        self._link = Link(session)

    def ready(self, items: Sequence[pytest.Item]) -> None:
        resumed = resumed_lines(self.conductor, items)
        self._link.say(
            "collected",
            header=[*header(self.conductor, self._config, self._points), *resumed],
            gated=len(self._gatekeeper.rules),
        )

    def first(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> None:
        once = self.processes.next_of(experiment, nextitem)
        if reports := self._reports(once):
            self._link.hand_over(experiment.item, reports, self._said(experiment, once))
        _go_down_if_told(once)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run further processes, of whichever experiments, as long as the controller has some."""
        for item in session.items:
            if POINT_KEY in item.stash:
                forget_group(item)
        result = yield
        while self._serves and not (session.shouldfail or session.shouldstop):
            asked = self._link.next_run()
            if asked is None:
                break
            self._run(session.items[asked["index"]], asked)
        return result

    def _run(self, item: pytest.Item, asked: Commanded) -> None:
        self.begin()
        experiment = self.experiment(item, item.stash[POINT_KEY], asked["planned"])
        experiment.ran = asked["number"]
        once = self.processes.next_of(experiment, None)
        if reports := self._reports(once):
            self._link.hand_over_more(asked["index"], reports, self._said(experiment, once))
        _go_down_if_told(once)

    @staticmethod
    def _reports(once: Once) -> list[pytest.TestReport]:
        """What is to be reported: of what was interrupted only what had failed by then."""
        kept = once.ended.interruption is None or once.result is not None
        return once.ended.reports if kept else []

    def _said(self, experiment: RepeatedItem, once: Once) -> Process:
        study: Any = experiment.item.stash.get(ROUNDS, ())
        return Process(
            run=str(self.conductor.store.path),
            name=once.name,
            outcome=once.ended.account.outcome,
            problem=problem_said(once.problem),
            planned=experiment.planned,
            gates=list(experiment.kept.gates),
            study=list(study),
            told_again=once.told_again,
        )


def _go_down_if_told(once: Once) -> None:
    if once.ended.interruption is not None:
        interrupt(once.ended.interruption)
