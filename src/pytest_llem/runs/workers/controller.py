"""The process that controls workers of pytest-xdist: hears them, and has them run what is due.

Nothing that experiments need is imported before a worker says that it has some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llem._compat import Terminal, Workers
from pytest_llem.runs.workers.deaths import Deaths
from pytest_llem.runs.workers.messages import COMMAND, PROCESS, SAID

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_llem.runs.workers.family import Family
    from pytest_llem.runs.workers.messages import Process
    from pytest_llem.runs.workers.turns import Shared

NAME = "llem-controller"
KEYBOARD = "keyboard-interrupt"
"""What xdist says of a worker that was interrupted."""


class Controller:
    """Registered where pytest-xdist starts workers."""

    def __init__(self, config: pytest.Config, workers: Workers) -> None:
        self._config, self._workers = config, workers
        self._family: Family | None = None
        self._each = config.getoption("dist") == "each"
        self._parts: dict[str, list[pytest.TestReport]] = {}
        """Reports of processes of which the last is still to come, by worker."""
        self._idle: dict[str, Any] = {}
        """Workers that wait to be told what to do, by id, who waits longest first."""
        self._running: dict[str, Shared] = {}
        """What workers were told to run, by id."""
        self._stopped = False
        self._deaths = Deaths()
        workers.intercept(self._taken, self._go_on)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Judge what waits once all workers have ended, however that came about."""
        try:
            return (yield)
        finally:
            if self._family is not None:
                self._family.settle()
                summary: Any = self._config.pluginmanager.get_plugin("llem-summary")
                if run := self._family.run():  # of which nobody may have told
                    summary.of_run(run)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """See what a worker leaves behind, whose reports are complete or do not count."""
        name = node.gateway.id
        self._parts.pop(name, None)
        self._idle.pop(name, None)
        shared = self._running.pop(name, None)
        died = bool(error) and error != KEYBOARD
        if died:
            self._deaths.add(name, str(error))
        if shared is not None and self._family is not None:
            which = f"process {shared.ran + 1} of {shared.planned} of {shared.node_id!r}"
            if died:
                self._deaths.ran(name, which)
            why = f"worker {name!r} crashed while running {which}" if died else None
            self._family.give_up(shared, why)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Leave to xdist what was lost in the first round, of which it makes a report itself."""
        self._deaths.ran(report.node.gateway.id, repr(crashitem))
        if self._family is not None:
            self._family.forget(crashitem)

    def pytest_llem_report(self) -> list[str]:
        """Say which workers died."""
        return self._deaths.lines()

    def _taken(self, node: Any, report: pytest.TestReport) -> bool:
        """Whether *report* is about an experiment, and logged once that is judged."""
        said: dict[str, Any] | None = getattr(report, SAID, None)
        if said is not None:
            self._hear(node, said)
            return True
        process: dict[str, Any] | None = getattr(report, PROCESS, None)
        if process is None or self._family is None:
            return False
        delattr(report, PROCESS)
        report.node = node  # type: ignore[attr-defined] # as xdist does
        name = node.gateway.id
        parts = self._parts.setdefault(name, [])
        parts.append(report)
        if process:
            who = (report.nodeid, name if self._each else "")
            self._family.take(who, self._parts.pop(name), cast("Process", process))
        return True

    def _hear(self, node: Any, said: dict[str, Any]) -> None:
        name = node.gateway.id
        if said["what"] == "idle":
            self._running.pop(name, None)
            self._idle[name] = node
        elif self._family is None:
            from pytest_llem.runs.workers.family import Family

            self._family = Family(self._config, said["gated"], self._log)
            self._show(said["header"])

    def _log(self, report: pytest.TestReport) -> None:
        self._workers.log(report.node, report)

    def _show(self, header: Sequence[str]) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or reporter.verbosity < 0:
            return
        from pytest_llem.reports.text import clean

        unicode = Terminal(reporter).unicode
        reporter.ensure_newline()
        for line in header:
            reporter.write_line(line if unicode else clean(line, unicode=False))

    def _go_on(self) -> None:
        """Give idle workers something to do, or let them end if nothing will come."""
        if self._family is None:
            return
        if not self._workers.have_more_to_say:
            self._family.decide()
        if self._workers.stops:
            self._stop(self._workers.stops)
            return
        while self._idle and (shared := self._family.next()) is not None:
            self._run(shared)
        active = self._workers.active
        busy = len(active) - sum(node in active for node in self._idle.values())
        if busy <= len(self._running):
            self._family.tell_of_rounds()
        if self._idle and not busy and not self._workers.have_more_to_say:
            if self._family.look() and not self._workers.stops:
                self._go_on()
            else:
                self._end()

    def _run(self, shared: Shared) -> None:
        name = next(iter(self._idle))
        node = self._idle.pop(name)
        self._running[name] = shared
        run = {"index": shared.index, "number": shared.ran, "planned": shared.planned}
        self._workers.tell(node, COMMAND, do="run", **run)

    def _end(self) -> None:
        for node in self._idle.values():
            self._workers.tell(node, COMMAND, do="end")
        self._idle.clear()

    def _stop(self, why: str) -> None:
        """Have no worker begin anything more."""
        self._end()
        if not self._stopped:
            self._stopped = True
            for node in self._workers.active:
                self._workers.tell(node, COMMAND, do="stop", why=why)


def hear_workers(config: pytest.Config) -> None:
    """Listen to workers, in the process that controls them."""
    workers = Workers.of(config)
    if workers is not None and not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(Controller(config, workers), NAME)
