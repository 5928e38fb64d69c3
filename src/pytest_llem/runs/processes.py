"""The processes of experiments, one at a time: started, or told again; stored; noted in the journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_llem.errors import LlemError
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.runs.items import ItemConductor, finish_item
from pytest_llem.runs.resuming.retelling import keep, retold

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_llem.isolation.observer import Progress
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import Entry
    from pytest_llem.results.transitions import Key
    from pytest_llem.runs.conductor import Conductor
    from pytest_llem.runs.items import ConductedItem
    from pytest_llem.runs.repeats import RepeatedItem


Show = Callable[["Progress"], None]
"""Shows a person how far an experiment is."""


@dataclass(frozen=True, slots=True)
class Once:
    """One process of an experiment."""

    ended: ConductedItem
    result: ExperimentResult | None
    """``None`` if nothing could be started, or if it was interrupted."""
    name: str
    """The name it is stored under; empty if it is not."""
    problem: LlemError | None
    """What kept it from being stored."""
    told_again: bool = False
    """Whether it had finished before the run was resumed."""


class Processes:
    """Runs items in processes, as a session's settings say."""

    def __init__(self, config: pytest.Config, conductor: Conductor) -> None:
        self._conductor = conductor
        self._items = ItemConductor(config, conductor)
        self.watch: Callable[[str], AbstractContextManager[Show | None]] = lambda _: nullcontext()
        """Shows a person how the named experiment gets on."""

    @property
    def isolated(self) -> bool:
        """Whether they are processes of their own."""
        return self._conductor.settings.isolation != "none"

    def close(self) -> None:
        self._items.close()

    def next_of(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> Once:
        """The next process of an experiment: run, or told again if it has finished already.

        One that was interrupted is not stored, unless it had failed by then.
        """
        entry = self._conductor.finished(experiment.point, *experiment.key[1:])
        if entry is not None:
            return self._told(entry, experiment, nextitem)
        self._conductor.diary.running(experiment.key)
        try:
            ended = self._started(experiment, nextitem)
        except BaseException:
            self._conductor.diary.pending(experiment.key)
            raise
        failed = any(report.failed for report in ended.reports) and not experiment.released
        if ended.interruption is not None and not failed:
            self._conductor.diary.pending(experiment.key)
            return Once(ended, None, "", None)
        return self._kept(experiment.key, ended)

    def measure(self, item: pytest.Item, number: int, show: Show | None = None) -> Once:
        """Run *item* in one more process, its *number*-th from 0, apart from any round.

        Raises:
            KeyboardInterrupt: it was interrupted, and has no result.
        """
        point = item.stash[POINT_KEY]
        key = point.experiment_id, item.nodeid, number
        self._conductor.diary.running(key)
        if self.isolated:
            ended = self._items.isolated(item, point, show, number)
        else:
            ended = self._items.in_process(item, point, None)
        if ended.interruption is not None:
            self._conductor.diary.pending(key)
            interrupt(ended.interruption)
        return self._kept(key, ended)

    def _told(self, entry: Entry, experiment: RepeatedItem, nextitem: pytest.Item | None) -> Once:
        ended = retold(self._conductor.store, entry, experiment.item, experiment.point)
        if not self.isolated:
            finish_item(experiment.item, nextitem)
        return Once(ended, entry.result, entry.name, None, told_again=True)

    def _started(self, experiment: RepeatedItem, nextitem: pytest.Item | None) -> ConductedItem:
        item, point = experiment.item, experiment.point
        if not self.isolated:
            return self._items.in_process(item, point, nextitem)
        several = experiment.planned > 1
        name = f"{item.name} ({experiment.ran + 1}/{experiment.planned})" if several else item.name
        with self.watch(name) as show:
            return self._items.isolated(item, point, show, experiment.ran)

    def _kept(self, key: Key, ended: ConductedItem) -> Once:
        """Store what came of a process."""
        once = self._stored(ended)
        if once.name:
            keep(self._conductor.store, once.name, ended.item, ended.reports)
        self._conductor.diary.finished(key, ended.account.outcome, once.name or None)
        return once

    def _stored(self, ended: ConductedItem) -> Once:
        if ended.conducted is None:
            return Once(ended, None, "", None)
        result = self._conductor.result(ended.conducted, ended.account)
        try:
            return Once(ended, result, self._conductor.keep(ended.conducted, result), None)
        except LlemError as error:
            return Once(ended, result, "", error)


def interrupt(said: dict[str, Any]) -> NoReturn:
    """End the session as the process was ended."""
    if said["exits"]:
        pytest.exit(said["reason"], said["status"])
    raise KeyboardInterrupt
