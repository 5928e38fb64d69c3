"""What came of an experiment, by the reports of its item and the end of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.isolation.reports import describe

if TYPE_CHECKING:
    import pytest

    from pytest_llem.results.schema import Outcome
    from pytest_llem.runs.conductor import Conducted


def outcome_of(
    reports: list[pytest.TestReport], conducted: Conducted
) -> tuple[Outcome, str | None]:
    """The experiment's outcome, and what went wrong; ``None`` if nothing did."""
    ending = conducted.ending
    failed = [report for report in reports if report.failed]
    if ending is not None and failed and (ending.timed_out or ending.was_killed):
        return ("timed_out" if ending.timed_out else "crashed"), said_of(failed[-1])
    if failed:
        return ("failed" if failed[0].when == "call" else "error"), said_of(failed[0])
    skipped = [report for report in reports if report.skipped]
    if skipped:
        return "skipped", said_of(skipped[0])
    if not reports:
        return "error", describe(ending, None) if ending else "no report"
    return "passed", None


def said_of(report: pytest.TestReport) -> str:
    """What a report says went wrong, without its traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext
