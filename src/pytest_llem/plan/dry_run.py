"""``--llem-dry-run``: show the grid, load and measure nothing."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from pytest_llem import _compat
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.outlook import Outlook
from pytest_llem.plan.summary import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pytest_llem.plan.collection import ExperimentCollection
    from pytest_llem.plan.point import Point
    from pytest_llem.plan.summary import Line

STDOUT = "-"


class DryRun:
    """Prints the collected grid in place of running it."""

    def __init__(
        self,
        config: pytest.Config,
        collection: ExperimentCollection,
        outlook: Callable[[], Outlook] | None = None,
    ) -> None:
        """Show what *collection* planned, and what *outlook*, asked once, expects of it."""
        self._outlook = outlook
        self._write_json: Callable[[str], object] = print
        self._config = config
        self._collection = collection
        config.add_cleanup(gc.unfreeze)
        _stay_in_one_process(config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Leave standard output to the plan, where that is asked for there."""
        if self._config.option.llem_plan_json == STDOUT:
            self._write_json = _compat.report_to_stderr(self._config)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Collect without looking for garbage: whatever is made now lives until the end."""
        enabled = gc.isenabled()
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()
            if enabled:
                gc.enable()

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self) -> Generator[None, object, object]:
        """Spare pytest the order in which fixtures would be set up least often."""
        with _compat.unordered():
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Print the points that the command line selected."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        selected = {id(item.stash.get(POINT_KEY, None)) for item in session.items}
        groups = {
            group: chosen
            for group, points in self._collection.groups.items()
            if (chosen := [point for point in points if id(point) in selected])
        }
        others = len(session.items) - sum(map(len, groups.values()))
        outlook = self._outlook() if self._outlook and groups else Outlook()
        lines = summary(
            groups,
            others=others,
            outlook=outlook,
            width=self._config.get_terminal_writer().fullwidth,
            repeats=self._config.option.llem_repeats,
        )
        self._write(reporter, lines)
        if self._config.option.llem_plan_json is not None:
            self._put(groups, outlook)

    def _put(self, groups: Mapping[str, Sequence[Point]], outlook: Outlook) -> None:
        """Write the plan as JSON to where the option says."""
        from pytest_llem.plan.document import plan_document

        where = self._config.option.llem_plan_json
        plan = plan_document(groups, outlook, self._config.option.llem_repeats)
        text = f"{plan.model_dump_json(indent=2)}\n"
        if where == STDOUT:
            self._write_json(text)
            return
        try:
            (self._config.invocation_params.dir / where).write_text(text, encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(
                f"--llem-plan-json={where}: cannot be written: {error.strerror or error}"
            ) from None

    def _write(self, reporter: pytest.TerminalReporter, lines: list[Line]) -> None:
        encoding = _compat.terminal_encoding(self._config)
        reporter.ensure_newline()
        for line in lines:
            text = line.text.encode(encoding, "backslashreplace").decode(encoding)
            reporter.write_line(text, bold=line.heading)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run no item; errors of the collection keep their exit code."""
        keep_going = session.config.option.continue_on_collection_errors
        return None if session.testsfailed and not keep_going else True


def _stay_in_one_process(config: pytest.Config) -> None:
    """Keep pytest-xdist, where it is installed, from starting workers to collect."""
    if hasattr(config.option, "tx"):
        config.option.dist = "no"
        config.option.tx = []
        config.option.numprocesses = 0
