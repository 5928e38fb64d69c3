"""A pytest session with experiments: runs them, keeps them, judges them, releases their reports."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.errors import LlemError
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.runs.conductor import Conductor
from pytest_llem.runs.gatekeeper import Gatekeeper
from pytest_llem.runs.items import ItemConductor, finish_item
from pytest_llem.runs.options import settings_of
from pytest_llem.runs.release import Kept, release
from pytest_llem.runs.terminal import header, teller, watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from pytest_llem.plan.point import Point
    from pytest_llem.runs.items import ConductedItem
    from pytest_llem.runs.settings import RunSettings
    from pytest_llem.runs.terminal import Show


class ExperimentSession:
    """Registered once experiments were collected, in every process that runs tests."""

    def __init__(
        self,
        config: pytest.Config,
        points: Sequence[Point],
        settings: RunSettings,
        *,
        may_wait: bool,
    ) -> None:
        self._config = config
        self._points = points
        self._settings = settings
        self.conductor = Conductor(settings)
        self.conductor.leasing.tell = teller(config, lambda: self.conductor.store.run_id)
        self._items = ItemConductor(config, self.conductor)
        self._gatekeeper = Gatekeeper(settings, self.conductor.environment, len(points))
        self._may_wait = may_wait
        self._held: list[tuple[ConductedItem, Kept]] = []
        self._begun = False
        self.watch: Callable[[str], AbstractContextManager[Show | None]] = lambda _: nullcontext()
        """Shows a person how the named experiment gets on."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        point = item.stash.get(POINT_KEY, None)
        if point is None or point.config is None:
            return None
        self._begin()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        ended = self._run(item, point, nextitem)
        self._keep_and_judge(ended)
        if self._settings.isolation != "none":
            finish_item(item, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if ended.interruption is not None:
            _interrupt(ended.interruption)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            self._settle()

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """Say on what machine, and with what, energy is read."""
        return header(self.conductor, config)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Leave the deadline of isolated items to the supervisor and to their child."""
        isolated = POINT_KEY in item.stash and self._settings.isolation != "none"
        return True if isolated else None

    def pytest_unconfigure(self) -> None:
        self._items.close()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        try:
            self.conductor.begin(self._points, sys.argv)
        except LlemError as error:
            pytest.exit(f"{type(error).__name__}: {error}", pytest.ExitCode.USAGE_ERROR)

    def _run(self, item: pytest.Item, point: Point, nextitem: pytest.Item | None) -> ConductedItem:
        if self._settings.isolation == "none":
            return self._items.in_process(item, point, nextitem)
        with self.watch(item.name) as show:
            return self._items.isolated(item, point, show)

    def _keep_and_judge(self, ended: ConductedItem) -> None:
        kept = Kept()
        if ended.conducted is None:
            self._release(ended, kept)
            return
        try:
            kept.result = self.conductor.result(ended.conducted, ended.account)
            kept.name = self.conductor.keep(ended.conducted, kept.result)
            kept.judgements = self._gatekeeper.judge(kept.result)
        except LlemError as error:
            kept.problem = error
        final = all(judgement.final for judgement in kept.judgements)
        if final or not self._may_wait:
            self._release(ended, kept)
        else:
            self._held.append((ended, kept))

    def _settle(self) -> None:
        """Release what waited for the family to be complete."""
        held, self._held = self._held, []
        settled = self._settled() if held else {}
        for ended, kept in held:
            if kept.name in settled:
                kept.judgements = settled[kept.name]
            self._release(ended, kept)

    def _settled(self) -> dict[str, Any]:
        try:
            return self._gatekeeper.settle()
        except LlemError as error:
            self._config.issue_config_time_warning(
                pytest.PytestWarning(f"the family of gates could not be judged: {error}"), 2
            )
            return {}

    def _release(self, ended: ConductedItem, kept: Kept) -> None:
        release(ended, kept, self.conductor.store, strict=self._settings.strict)


def _interrupt(said: dict[str, Any]) -> None:
    if said["exits"]:
        pytest.exit(said["reason"], said["status"])
    raise KeyboardInterrupt


def engines_of(items: Sequence[pytest.Item]) -> tuple[set[str], set[str]]:
    """Engines that the experiments among *items* name, and those whose model is loaded."""
    named, loaded = set(), set()
    for item in items:
        point = item.stash.get(POINT_KEY, None)
        if point is not None and point.config is not None:
            named.add(point.config.backend)
            if "model" in getattr(item, "fixturenames", ()):
                loaded.add(point.config.backend)
    return named, loaded


def prepare(session: pytest.Session) -> None:
    """Register an :class:`ExperimentSession` for the experiments that *session* collected.

    Raises:
        pytest.UsageError: what was asked for cannot be had, and what to do.
    """
    config = session.config
    points = [item.stash[POINT_KEY] for item in session.items if POINT_KEY in item.stash]
    is_worker = hasattr(config, "workerinput")
    try:
        experiments = ExperimentSession(config, points, settings_of(config), may_wait=not is_worker)
        experiments.conductor.launchers.prepare(*engines_of(session.items))
    except LlemError as error:
        raise pytest.UsageError(str(error)) from None
    if not is_worker:
        experiments.watch = watcher(experiments, config)
    config.pluginmanager.register(experiments, "llem-experiments")
