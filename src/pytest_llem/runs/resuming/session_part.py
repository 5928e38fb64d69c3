"""What a session that goes on with a run shows and keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem._compat import without_group
from pytest_llem.errors import LlemError
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.wording import counted
from pytest_llem.runs.resuming.asked import manifest_of, resume_of
from pytest_llem.runs.resuming.drift import described
from pytest_llem.runs.resuming.retelling import RESUMED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.results.manifest import Manifest
    from pytest_llem.runs.conductor import Conductor


class ResumingSession:
    """Registered where people look and a run is resumed: not in workers, nor in children."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._resumed: set[str] = set()

    def pytest_report_header(self) -> str:
        return f"llem: resuming run {self._manifest.run_id}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Say it of what passed; others tell the word that a summary has for failures."""
        resumed = getattr(report, RESUMED, False) and not hasattr(report, "wasxfail")
        if resumed and report.when == "call" and report.passed:
            return "passed", ".", "PASSED (resumed)"
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if getattr(report, RESUMED, False):
            self._resumed.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many there were."""
        if self._resumed and terminalreporter.verbosity >= 0:
            experiments = counted(len(self._resumed), "experiment")
            terminalreporter.write_line(
                f"llem: {experiments} reported as they had ended before the run was resumed"
            )


def resume_session(config: pytest.Config, root: Path) -> None:
    """Get ready to go on with a run in *root*, in the order that its seed gives.

    Raises:
        pytest.UsageError: there is no such run, or it is in use.
    """
    try:
        resume = resume_of(config, root)
        if resume is None:
            return
        manifest = manifest_of(resume)
    except LlemError as error:
        raise pytest.UsageError(str(error)) from None
    drawn = config.option.llem_shuffle
    if manifest.shuffle_seed is not None and (drawn is None or drawn < 0):
        config.option.llem_shuffle = manifest.shuffle_seed
    config.pluginmanager.register(ResumingSession(manifest), "llem-resuming")


def resumed_lines(conductor: Conductor, items: Sequence[pytest.Item]) -> list[str]:
    """How far the resumed run had come with the experiments among *items*, and what changed since."""
    run = conductor.taken_up
    if run is None:
        return []
    asked = [
        (
            f"{point.group}-{point.identity}",
            without_group(item),
            conductor.settings.processes(point.repeats),
        )
        for item in items
        if (point := item.stash.get(POINT_KEY, None)) is not None and point.config is not None
    ]
    counts = [run.finished.count(*one) for one in asked]
    whole = sum(count >= most for count, (_, _, most) in zip(counts, asked, strict=True))
    all_ = sum(most for _, _, most in asked)
    processes = f", {sum(counts)} of {all_} processes" if all_ > len(asked) else ""
    lines = [f"llem: {whole} of {len(counts)} experiments have finished{processes}"]
    if len(counts) < run.planned:
        lines[0] += f"; {run.planned - len(counts)} more of the run are not selected"
    return [*lines, *(f"llem: changed since, and accepted: {one}" for one in described(run.drift))]
