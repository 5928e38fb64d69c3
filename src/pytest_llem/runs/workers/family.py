"""The experiments of all workers: judged as one family, their reports released once they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.rules import parse_rules
from pytest_llem.errors import LlemError
from pytest_llem.results.load import load_named
from pytest_llem.results.root import RUNS
from pytest_llem.results.store import RunStore
from pytest_llem.runs.anchored import Anchored
from pytest_llem.runs.anchors import why_none
from pytest_llem.runs.deciding import Deciding
from pytest_llem.runs.gatekeeper import Gatekeeper
from pytest_llem.runs.options import settings_of
from pytest_llem.runs.release import Outlet, release
from pytest_llem.runs.run_log import RunLog
from pytest_llem.runs.terminal import sayer
from pytest_llem.runs.workers.messages import problem_heard
from pytest_llem.runs.workers.shared_run import shared_run_id
from pytest_llem.runs.workers.turns import Shared, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.workers.messages import Process


class Family:
    """Takes what workers measured, says what is to be measured next, and what came of it.

    It is judged as a single process would judge it: experiments that are clear whatever comes as
    they end, the others when all have, and with several looks all of them at each look.
    """

    def __init__(
        self, config: pytest.Config, gated: int, log: Callable[[pytest.TestReport], object]
    ) -> None:
        """A family of which *gated* experiments are judged; *log* gets reports to release.

        Raises:
            ConfigError: an option makes no sense.
        """
        self._config, self._gated, self._log_report = config, gated, log
        self._settings = settings_of(config)
        self._log = RunLog(self._settings, self._warn)
        self._say = sayer(config)
        self._turns = Turns(self._settings.shuffle_seed)
        self._experiments: dict[tuple[str, str], Shared] = {}
        self._due: list[Shared] = []
        """What has ended and is not yet judged."""
        self._latest = self._round = self._looked = 0
        self._store: RunStore | None = None

    def run(self) -> str:
        """The directory of the run that workers began, also if none lived to say so; empty if there is none."""
        resume = self._settings.resume
        name = shared_run_id(self._config) if resume is None else resume.path.name
        try:
            return str(RunStore.open(self._settings.runs / RUNS / name).path)
        except LlemError:
            return ""

    def take(
        self, who: tuple[str, str], reports: Sequence[pytest.TestReport], process: Process
    ) -> None:
        """A process of an experiment has ended.

        *who* names the experiment: its node id, and its worker where several run the same.
        """
        self._begin(process["run"])
        experiment = self._experiments.get(who)
        if experiment is None:
            experiment = self._experiments[who] = self._met(who[0], reports, process)
        experiment.running = False
        result, problem = self._stored(process)
        experiment.take(
            reports, result, process["name"], problem_heard(process["problem"]) or problem
        )
        if experiment.planned > 1:
            self._say(experiment.line(process["outcome"], told_again=process["told_again"]), 1)
        if self._deciding.is_due(experiment):
            self._due.append(experiment)

    def decide(self) -> None:
        """Judge what has ended since the last time, all in one go, as judging takes a while."""
        due, self._due = self._due, []
        if due:
            self._deciding.judge([one for one in due if not one.released])

    def next(self) -> Shared | None:
        """The experiment to run next, as running from now on; ``None`` if none is due."""
        one = self._turns.next(self._experiments.values())
        if one is not None:
            one.running = True
            self._latest = max(self._latest, one.ran)
        return one

    def tell_of_rounds(self) -> None:
        """Say which round is done, once the first one is over."""
        if self._latest == self._round:
            return
        going_on = [one for one in self._experiments.values() if one.may_go_on]
        done = min((one.ran for one in going_on), default=self._latest)
        if done > self._round and going_on:
            self._round = done
            most = max(one.planned for one in going_on)
            self._say(f"llem: round {done} of {most} is done", 0)
            self._log.add("round_started", round=done, experiments=len(going_on))

    def look(self) -> bool:
        """Judge all by what they have; whether some are to go on for it."""
        if self._store is None or self._gatekeeper.looks is None:
            return False
        to_come = self._gatekeeper.looks.processes[self._looked + 1 :]
        if not to_come:
            return False
        self._looked += 1
        undecided = self._deciding.look(self._experiments.values())
        for experiment in undecided:
            experiment.planned = to_come[0]
        if undecided:
            ids = [one.kept.results[0].experiment_id for one in undecided]
            self._log.add("repeats_added", experiments=ids, processes=to_come[0])
        return bool(undecided)

    def give_up(self, experiment: Shared, why: str | None) -> None:
        """A process of *experiment* was not finished, and no more of it will run.

        *why* fails it; ``None`` lets what it has stand.
        """
        experiment.running, experiment.planned = False, experiment.ran
        if why is None or experiment.released:
            return
        call = next((one for one in experiment.reports if one.when == "call"), None)
        failed = call or experiment.reports[0]
        failed.outcome, failed.longrepr = "failed", why
        self._deciding.judge([experiment])

    def forget(self, node_id: str) -> None:
        """Say nothing of an experiment that pytest-xdist has reported as lost.

        To xdist its group may be a part of its *node_id*, behind an ``@``.
        """
        names = {node_id, node_id.rpartition("@")[0]}
        for who in [who for who in self._experiments if who[0] in names]:
            self._deciding.forget(self._experiments.pop(who))

    def settle(self) -> None:
        """Release what waited; no more will come."""
        self._due.clear()
        if self._store is not None:
            collected = sorted(self._experiments.values(), key=lambda one: one.index)
            self._deciding.settle(collected)
        self._log.close()

    def _begin(self, run: str) -> None:
        if self._store is not None:
            return
        try:
            self._store = RunStore.open(Path(run))
            self._settings = replace(self._settings, run_id=self._store.run_id)
            self._gatekeeper = Gatekeeper(
                self._settings, self._store.environment(), {}, family_size=self._gated
            )
        except LlemError as error:
            pytest.exit(f"{type(error).__name__}: {error}", pytest.ExitCode.USAGE_ERROR)
        self._gatekeeper.anchored = Anchored(why_none=why_none(self._settings) or "")
        self._deciding: Deciding[Shared] = Deciding(self._gatekeeper, self._release, self._warn)
        self._log.goes_on(self._store)

    def _met(self, node_id: str, reports: Sequence[pytest.TestReport], process: Process) -> Shared:
        """An experiment of which nothing was known yet."""
        gates = tuple(process["gates"])
        if gates:
            self._gatekeeper.rules[node_id] = parse_rules(gates)
        study = (process["study"][0], process["study"][1]) if process["study"] else None
        index: int = reports[0].item_index
        experiment = Shared(node_id=node_id, planned=process["planned"], index=index, study=study)
        experiment.kept.gates = gates
        return experiment

    def _stored(self, process: Process) -> tuple[ExperimentResult | None, LlemError | None]:
        assert self._store is not None  # noqa: S101 - begun by the caller
        if not process["name"]:
            return None, None
        try:
            return load_named(self._store.path, process["name"]), None
        except LlemError as error:
            return None, error

    def _release(self, experiment: Shared) -> None:
        assert self._store is not None  # noqa: S101 - nothing is released before
        strict, kept = self._settings.strict, experiment.kept
        if kept.results:
            self._log.witness_of(kept.results[-1]).judged(kept.judgements, strict=strict)
        outlet = Outlet(self._config, self._config.hook, self._log_report)
        release(experiment.reports, kept, self._store, outlet, strict=strict)

    def _warn(self, text: str) -> None:
        self._config.issue_config_time_warning(pytest.PytestWarning(text), 2)
