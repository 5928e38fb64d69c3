"""Test reports on their way from a child, and those that a lost child still owes."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.isolation.supervisor import Ending

Phase = Literal["setup", "call", "teardown"]

STACK = "(most recent call first)"
"""In what ``faulthandler`` prints."""
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a report raises that no pytest has made."""


def restore(config: pytest.Config, data: dict[str, Any]) -> list[pytest.TestReport]:
    """The report that the child's pytest made, or none if *data* is no report."""
    try:
        return [_report(config, data)]
    except MALFORMED:
        return []


def _report(config: pytest.Config, data: dict[str, Any]) -> pytest.TestReport:
    """A report from JSON, which had turned its tuples into lists."""
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(
        config=config, data=data
    )
    longrepr: object = report.longrepr
    if isinstance(longrepr, list):
        path, line, reason = longrepr
        report.longrepr = (path, line, reason)
    file, line, domain = report.location
    report.location = (file, line, domain)
    report.sections = [(name, text) for name, text in report.sections]
    report.user_properties = [(name, value) for name, value in report.user_properties]
    told: list[object] = [report.when, report.outcome]
    if not all(isinstance(word, str) for word in told):
        raise TypeError(f"{told} are not phase and outcome of a report")
    return report


def restore_warning(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Arguments of ``pytest_warning_recorded``, if *data* has them.

    Imports nothing to find the category.
    """
    try:
        return [_warning(data)]
    except MALFORMED:
        return []


def _warning(data: dict[str, Any]) -> dict[str, Any]:
    module, name = data["category"]
    category = getattr(sys.modules.get(module), name, UserWarning)
    message = warnings.WarningMessage(
        message=data["text"],
        category=category,
        filename=data["filename"],
        lineno=data["lineno"],
    )
    location = tuple(data["location"]) if data["location"] else None
    return {
        "warning_message": message,
        "when": data["when"],
        "nodeid": data["nodeid"],
        "location": location,
    }


def missing_phase(reports: Sequence[pytest.TestReport]) -> Phase | None:
    """The phase in which a child with these reports was, or ``None`` if it finished."""
    outcomes = {report.when: report.outcome for report in reports}
    if "teardown" in outcomes:
        return None
    if "setup" not in outcomes:
        return "setup"
    if outcomes["setup"] == "passed" and "call" not in outcomes:
        return "call"
    return "teardown"


def owed_report(
    item: pytest.Item, phase: Phase, ending: Ending, deadline_s: float | None, output: str
) -> pytest.TestReport:
    """The report that a child which ended in *phase* did not send."""
    report = failed_report(item, phase, f"{describe(ending, deadline_s)} (during {phase})")
    if output.strip():
        told = ", and where its threads were" if STACK in output else ""
        report.sections.append((f"Output of the child process{told}", output))
    return report


def failed_report(item: pytest.Item, phase: Phase, message: str) -> pytest.TestReport:
    """A failure in *phase* that is told by a message alone."""
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=message,
        when=phase,
    )


def describe(ending: Ending, deadline_s: float | None) -> str:
    """How a child ended, in words."""
    if ending.timed_out:
        return (
            f"timed out: the experiment took longer than {deadline_s:g} s and was killed. "
            "Raise --llem-timeout, or 0 for no limit"
        )
    if ending.killed_for is not None:
        return f"{ending.killed_for}: the experiment was killed"
    if ending.hung_after_closing or ending.status is None:
        return "hung: the child process closed its channel but did not exit, and was killed"
    if ending.status < 0:
        said = f"killed by {signal_name(-ending.status)}"
        if -ending.status == signal.SIGKILL and ending.kernel_kills > 0:
            said += ", probably by the kernel, which ran out of memory meanwhile"
        return said
    return f"exited before finishing, with status {ending.status}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
