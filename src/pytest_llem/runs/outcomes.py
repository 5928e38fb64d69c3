"""What came of an experiment, by the reports of its item and the end of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.isolation.reports import describe

if TYPE_CHECKING:
    import pytest

    from pytest_llem.isolation.output import OutputLog
    from pytest_llem.isolation.supervisor import Ending
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


def bare_outcome_of(
    said: dict[str, Any], ending: Ending | None, deadline_s: float | None, log: OutputLog
) -> tuple[Outcome, str | None]:
    """The same of a bare job, by what it *said* as its last word, or by its end."""
    if said:
        return said["outcome"], said["message"]
    assert ending is not None  # noqa: S101 - bare experiments always run in a child
    message = f"{describe(ending, deadline_s)}\n{log.end()}".strip()
    if ending.timed_out:
        return "timed_out", message
    return ("crashed" if ending.was_killed else "error"), message
