"""The experiments of a pytest session, as the process sees them that runs them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import LlemError
from pytest_llem.isolation.reports import restore_warning
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.runs.conductor import Conductor
from pytest_llem.runs.gatekeeper import Gatekeeper
from pytest_llem.runs.items import finish_item
from pytest_llem.runs.processes import Processes
from pytest_llem.runs.repeats import RepeatedItem
from pytest_llem.runs.terminal import teller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.settings import RunSettings


class ItemSession:
    """Runs the items of this process that are experiments; others say what becomes of them."""

    def __init__(
        self,
        config: pytest.Config,
        points: Sequence[Point],
        settings: RunSettings,
        rules: Mapping[str, tuple[Rule, ...]],
    ) -> None:
        self._config = config
        self._points = points
        self._settings = settings
        tell_of_waiting = teller(config, lambda: self.conductor.store.run_id)
        self.conductor = Conductor(settings, self._tell, tell_of_waiting)
        self.processes = Processes(config, self.conductor)
        self._gatekeeper = Gatekeeper(settings, self.conductor.environment, rules)
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
        self.begin()
        planned = self._settings.processes(point.repeats)
        experiment = self.experiment(item, point, planned)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self.first(experiment, nextitem)
        if self.processes.isolated:
            finish_item(item, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def experiment(self, item: pytest.Item, point: Point, planned: int) -> RepeatedItem:
        """*item*, of which nothing has run yet."""
        experiment = RepeatedItem(node_id=item.nodeid, planned=planned, item=item, point=point)
        own = self._gatekeeper.rules.get(item.nodeid, ())
        experiment.kept.gates = tuple(map(str, own))
        return experiment

    def ready(self, items: Sequence[pytest.Item]) -> None:
        """Everything that was collected can be run now."""

    def first(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> None:
        """Run the first process of an experiment."""
        raise NotImplementedError

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Leave the deadline of isolated items to the supervisor and to their child."""
        return True if POINT_KEY in item.stash and self.processes.isolated else None

    def pytest_unconfigure(self) -> None:
        self.processes.close()

    def begin(self) -> None:
        """Begin the run, if it has not begun: with the first experiment."""
        if self._begun:
            return
        self._begun = True
        try:
            self.conductor.begin(self._points, command_of(self._config))
        except LlemError as error:
            pytest.exit(f"{type(error).__name__}: {error}", pytest.ExitCode.USAGE_ERROR)
        self.has_begun()

    def has_begun(self) -> None:
        """The run has a directory now."""

    def _tell(self, text: str) -> None:
        """Warn, even where the project turns warnings into errors."""
        data = {"text": text, "category": ["pytest", "PytestWarning"], "when": "runtest"}
        nowhere = {"filename": __file__, "lineno": 1, "nodeid": "", "location": None}
        for warning in restore_warning({**data, **nowhere}):
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=warning)


def command_of(config: pytest.Config) -> list[str]:
    """The command line that began the session, in workers of it, too."""
    worker: dict[str, list[str]] = getattr(config, "workerinput", {})
    return list(worker.get("mainargv", sys.argv))
