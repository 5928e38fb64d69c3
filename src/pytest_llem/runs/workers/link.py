"""A worker's end of the line to its controller."""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llem._compat import hear_controller, send_to_controller
from pytest_llem.runs.workers.messages import COMMAND, PROCESS, SAID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.runs.workers.messages import Process

Commanded = dict[str, Any]


class Link:
    """Says what this worker has done, and hears what it is to do."""

    def __init__(self, session: pytest.Session) -> None:
        """Listen from now on, which is before the tests run."""
        self._session = session
        self._config = session.config
        self._heard: SimpleQueue[Commanded | None] = SimpleQueue()
        hear_controller(self._config, COMMAND, self._hear)

    def say(self, what: str, **fields: Any) -> None:
        """Say something that is about no test."""
        report = pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")
        setattr(report, SAID, {"what": what, **fields})
        send_to_controller(self._config, report)

    def hand_over(
        self, item: pytest.Item, reports: Sequence[pytest.TestReport], process: Process
    ) -> None:
        """Hand over the reports of an experiment's first process.

        Plugins of this worker hear them as they hear those of any test.
        """
        _mark(reports, process)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)

    def hand_over_more(
        self, index: int, reports: Sequence[pytest.TestReport], process: Process
    ) -> None:
        """Hand over the reports of a further process of the item at *index*; nobody here hears."""
        _mark(reports, process)
        for report in reports:
            report.item_index = index  # type: ignore[attr-defined] # as xdist does
            send_to_controller(self._config, report)

    def next_run(self) -> Commanded | None:
        """What to run next, once the controller says it; ``None`` if that is nothing more."""
        self.say("idle")
        heard = self._heard.get()
        return heard if heard is not None and heard["do"] == "run" else None

    def _hear(self, command: dict[str, Any] | None) -> None:
        if command is not None and command["do"] == "stop":
            self._session.shouldstop = command["why"]
        self._heard.put(command)


def _mark(reports: Sequence[pytest.TestReport], process: Process) -> None:
    for report in reports:
        setattr(report, PROCESS, {})
    setattr(reports[-1], PROCESS, cast("dict[str, Any]", process))
