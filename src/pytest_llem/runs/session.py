"""A pytest session with experiments: runs them, keeps them, judges them, releases their reports."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_llem._compat import speak_of
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.errors import ConfigError, LlemError
from pytest_llem.isolation.reports import restore_warning
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.markers import ROUNDS, gates_of
from pytest_llem.runs.anchors import Anchors, wanted_sites
from pytest_llem.runs.conductor import Conductor
from pytest_llem.runs.gatekeeper import Gatekeeper
from pytest_llem.runs.items import ItemConductor, finish_item
from pytest_llem.runs.options import settings_of
from pytest_llem.runs.order import ordered, ordered_in_studies
from pytest_llem.runs.refusals import refuse
from pytest_llem.runs.release import release
from pytest_llem.runs.repeats import Repeated
from pytest_llem.runs.resuming.retelling import keep, retold
from pytest_llem.runs.resuming.session_part import resumed_lines
from pytest_llem.runs.terminal import header, sayer, teller, watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import Entry
    from pytest_llem.results.transitions import Key
    from pytest_llem.runs.items import ConductedItem
    from pytest_llem.runs.settings import RunSettings
    from pytest_llem.runs.terminal import Show


@dataclass(frozen=True, slots=True)
class Once:
    """One process of an experiment, apart from any round."""

    ended: ConductedItem
    result: ExperimentResult | None
    """``None`` if nothing could be started."""
    name: str
    """The name it is stored under; empty if it is not."""
    problem: LlemError | None
    """What kept it from being stored."""


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
        self._items = ItemConductor(config, self.conductor)
        self._gatekeeper = Gatekeeper(
            settings, self.conductor.environment, rules, may_wait=may_wait
        )
        self._may_wait = may_wait
        planned = sum(point.config is not None for point in points) * settings.repeats
        self._anchors = Anchors(self.conductor, planned)
        self._gatekeeper.anchored = self._anchors.known
        self._experiments: list[Repeated] = []
        self._held: list[Repeated] = []
        self._begun = False
        self.watch: Callable[[str], AbstractContextManager[Show | None]] = lambda _: nullcontext()
        """Shows a person how the named experiment gets on."""
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
        if self._settings.isolation != "none":
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
            self._settle()
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
        isolated = POINT_KEY in item.stash and self._settings.isolation != "none"
        return True if isolated else None

    def pytest_unconfigure(self) -> None:
        self._items.close()

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
        self._anchors.begin(sites, self.say, self.watch)

    def _go_on(self, session: pytest.Session) -> None:
        """Add processes to undecided experiments, look by look, and release what is decided."""
        looks = self._gatekeeper.looks
        if looks is None:
            return
        for before, until in zip(looks.processes, looks.processes[1:], strict=False):
            self._anchors.before_look()
            undecided = self._look()
            _stop_if_told(session)
            if not undecided:
                return
            for experiment in undecided:
                experiment.planned = until
            ids = [one.kept.results[0].experiment_id for one in undecided]
            self.conductor.log.add("repeats_added", experiments=ids, processes=until)
            for number in range(before, until):
                self._repeat(session, number)

    def _look(self) -> list[Repeated]:
        """Judge all experiments by what they have; those that more processes may decide."""
        waiting = [one for one in self._experiments if not one.released and one.ended is not None]
        for experiment in waiting:
            self._add_to_family(experiment)
        settled = self._settled()
        for experiment in waiting:
            kept = experiment.kept
            kept.judgements = settled.get(kept.results[0].experiment_id, []) if kept.results else []
            gated = [one for one in kept.judgements if one.gated]
            if kept.problem or all(one.verdict != "inconclusive" for one in gated):
                experiment.released = True
                self._release(experiment)
        return [
            one
            for one in waiting
            if not one.released and any(judgement.undecided for judgement in one.kept.judgements)
        ]

    def _add_to_family(self, experiment: Repeated) -> None:
        try:
            self._gatekeeper.take(experiment.kept.results)
        except LlemError as error:
            experiment.kept.problem = error

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
        """Run an experiment once more; report it when its last process has ended, or one failed.

        A process that had finished before the run was resumed is told again instead.
        """
        entry = self._finished(experiment)
        if entry is not None:
            ended = retold(self.conductor.store, entry, experiment.item, experiment.point)
            if self._settings.isolation == "none":
                finish_item(experiment.item, nextitem)
            experiment.take(ended, entry.result, entry.name, None)
        else:
            ended = self._run(experiment, nextitem)
            if ended.interruption is not None:
                self._report_unfinished(experiment, ended)
                _interrupt(ended.interruption)
            experiment.take(ended, *self._keep(experiment.key, ended))
            self._anchors.process_ended()
        if experiment.planned > 1:
            process = f"process {experiment.ran} of {experiment.planned}"
            said = ended.account.outcome + (" (resumed)" if entry is not None else "")
            self.say(f"llem: {experiment.item.nodeid}, {process}: {said}", 1)
        waits_for_a_look = self._gatekeeper.looks is not None and not experiment.is_broken
        if experiment.is_decided and not experiment.released and not waits_for_a_look:
            self._judge(experiment)

    def _report_unfinished(self, experiment: Repeated, ended: ConductedItem) -> None:
        """Report an interrupted process if it had failed by then; others have no result."""
        if any(report.failed for report in ended.reports) and not experiment.released:
            experiment.take(ended, *self._keep(experiment.key, ended))
            self._judge(experiment)
        else:
            self.conductor.diary.pending(experiment.key)

    def _finished(self, experiment: Repeated) -> Entry | None:
        _, node_id, repeat = experiment.key
        return self.conductor.finished(experiment.point, node_id, repeat)

    def measure(self, item: pytest.Item, number: int, show: Show | None = None) -> Once:
        """Run *item* in one more process, its *number*-th from 0; nothing is judged or reported.

        Raises:
            KeyboardInterrupt: it was interrupted, and has no result.
        """
        self._begin()
        point = item.stash[POINT_KEY]
        key = point.experiment_id, item.nodeid, number
        self.conductor.diary.running(key)
        if self._settings.isolation == "none":
            ended = self._items.in_process(item, point, None)
        else:
            ended = self._items.isolated(item, point, show, number)
        if ended.interruption is not None:
            self.conductor.diary.pending(key)
            _interrupt(ended.interruption)
        return Once(ended, *self._keep(key, ended))

    def _run(self, experiment: Repeated, nextitem: pytest.Item | None) -> ConductedItem:
        self.conductor.diary.running(experiment.key)
        try:
            return self._started(experiment, nextitem)
        except BaseException:
            self.conductor.diary.pending(experiment.key)
            raise

    def _started(self, experiment: Repeated, nextitem: pytest.Item | None) -> ConductedItem:
        item, point = experiment.item, experiment.point
        if self._settings.isolation == "none":
            return self._items.in_process(item, point, nextitem)
        several = experiment.planned > 1
        name = f"{item.name} ({experiment.ran + 1}/{experiment.planned})" if several else item.name
        with self.watch(name) as show:
            return self._items.isolated(item, point, show, experiment.ran)

    def _keep(
        self, key: Key, ended: ConductedItem
    ) -> tuple[ExperimentResult | None, str, LlemError | None]:
        """Store a process's result: it, the name it is stored under, and what went wrong."""
        result, name, problem = self._stored(ended)
        if name:
            keep(self.conductor.store, name, ended.item, ended.reports)
        self.conductor.diary.finished(key, ended.account.outcome, name or None)
        return result, name, problem

    def _stored(
        self, ended: ConductedItem
    ) -> tuple[ExperimentResult | None, str, LlemError | None]:
        if ended.conducted is None:
            return None, "", None
        result = self.conductor.result(ended.conducted, ended.account)
        try:
            return result, self.conductor.keep(ended.conducted, result), None
        except LlemError as error:
            return result, "", error

    def _judge(self, experiment: Repeated) -> None:
        """Judge an experiment by all its processes, and release it if that is final."""
        experiment.released = True
        kept = experiment.kept
        if kept.results and kept.problem is None:
            try:
                kept.judgements = self._gatekeeper.judge(kept.results)
            except LlemError as error:
                kept.problem = error
        final = all(judgement.final for judgement in kept.judgements)
        if final or not self._may_wait:
            self._release(experiment)
        else:
            self._held.append(experiment)

    def _settle(self) -> None:
        """Release what waited: for processes that will not come, or for the family."""
        for experiment in self._experiments:
            if experiment.ended is None or experiment.released:
                continue
            if self._gatekeeper.looks is None:
                self._judge(experiment)
                continue
            experiment.released = True
            self._add_to_family(experiment)
            self._held.append(experiment)
        held, self._held = self._held, []
        settled = self._settled() if held else {}
        for experiment in held:
            kept = experiment.kept
            if kept.results:
                found = settled.get(kept.results[0].experiment_id, kept.judgements)
                kept.judgements = found
            self._release(experiment)

    def _settled(self) -> dict[str, Any]:
        try:
            return self._gatekeeper.settle()
        except LlemError as error:
            self._config.issue_config_time_warning(
                pytest.PytestWarning(f"the family of gates could not be judged: {error}"), 2
            )
            return {}

    def _release(self, experiment: Repeated) -> None:
        assert experiment.ended is not None  # noqa: S101 - only what has run is released
        speak_of(self._config, experiment.item)
        strict = self._settings.strict
        if experiment.kept.results:
            witness = self.conductor.log.witness_of(experiment.kept.results[-1])
            witness.judged(experiment.kept.judgements, strict=strict)
        release(experiment.ended, experiment.kept, self.conductor.store, strict=strict)


def _stop_if_told(session: pytest.Session) -> None:
    """Do what pytest's own loop does between items."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def _interrupt(said: dict[str, Any]) -> NoReturn:
    if said["exits"]:
        pytest.exit(said["reason"], said["status"])
    raise KeyboardInterrupt


def command_of(config: pytest.Config) -> list[str]:
    """The command line that began the session, in workers of it, too."""
    worker: dict[str, list[str]] = getattr(config, "workerinput", {})
    return list(worker.get("mainargv", sys.argv))


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


def rules_of(items: Sequence[pytest.Item], settings: RunSettings) -> dict[str, tuple[Rule, ...]]:
    """The rules of every experiment among *items*, by node id.

    Raises:
        ConfigError: a gate makes no sense, and where it was declared.
    """
    book = Rulebook(settings.configured_gates, settings.gates)
    rules = {}
    for item in items:
        point = item.stash.get(POINT_KEY, None)
        if point is not None and point.config is not None:
            rules[item.nodeid] = book.rules(item.nodeid, gates_of(item))
    if settings.max_repeats is not None and not any(rules.values()):
        raise ConfigError(
            f"--llem-max-repeats={settings.max_repeats} adds processes until a gate is decided. "
            "Add a --llem-gate."
        )
    return rules


def prepare(session: pytest.Session) -> None:
    """Register an :class:`ExperimentSession` for the experiments that *session* collected.

    Raises:
        pytest.UsageError: what was asked for cannot be had, and what to do; a worker of
            pytest-xdist tells its controller, and runs nothing.
    """
    config = session.config
    points = [item.stash[POINT_KEY] for item in session.items if POINT_KEY in item.stash]
    is_worker = hasattr(config, "workerinput")
    try:
        settings = settings_of(config)
        rules = rules_of(session.items, settings)
        experiments = ExperimentSession(config, points, settings, rules, may_wait=not is_worker)
        if settings.resume is not None:
            experiments.conductor.begin(points, command_of(config))
        experiments.conductor.launchers.prepare(*engines_of(session.items))
    except LlemError as error:
        refuse(session, error)
        return
    if not is_worker:
        experiments.watch = watcher(experiments, config)
        experiments.say = sayer(config)
    config.pluginmanager.register(experiments, "llem-experiments")
