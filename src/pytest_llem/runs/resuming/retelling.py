"""Reporting again what has finished before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import StoreError
from pytest_llem.isolation.reports import missing_phase, restore
from pytest_llem.results.kept_reports import keep_reports, kept_reports
from pytest_llem.runs.conductor import Account
from pytest_llem.runs.items import ConductedItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.plan.point import Point
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import Entry, RunStore

RESUMED = "llem_resumed"
"""Attribute of reports that were given before."""
PROPERTY = ("llem.resumed", "true")


def keep(
    store: RunStore, name: str, item: pytest.Item, reports: Sequence[pytest.TestReport]
) -> None:
    """Keep *reports* to be given again; where they cannot be kept, the result will do."""
    serialize = item.config.hook.pytest_report_to_serializable
    try:
        data = [serialize(config=item.config, report=report) for report in reports]
        keep_reports(store, name, data)
    except (StoreError, TypeError, ValueError):
        return


def retold(store: RunStore, entry: Entry, item: pytest.Item, point: Point) -> ConductedItem:
    """A process that has finished before, as if it had ended just now."""
    result = entry.result
    data = [json.loads(json.dumps(one)) for one in kept_reports(store, entry.name)]
    reports = [report for one in data for report in restore(item.config, one)]
    if missing_phase(reports) is not None or any(one.nodeid != item.nodeid for one in reports):
        reports = made_up(item, result)
    for report in reports:
        setattr(report, RESUMED, True)
        report.user_properties.append(PROPERTY)
        if report.failed:
            report.sections.append(
                ("llem", "resumed: this is how it ended before the run was taken up again")
            )
    account = Account(point, result.outcome, result.message, result.node_id, result.repeat)
    return ConductedItem(item, account, None, reports, None)


def made_up(item: pytest.Item, result: ExperimentResult) -> list[pytest.TestReport]:
    """Reports that say what the result says, where those of then are not there."""
    message = result.message or ""
    match result.outcome:
        case "passed":
            return [_report(item, phase) for phase in ("setup", "call", "teardown")]
        case "skipped":
            path, line, _ = item.location
            reason = (path, line or 0, f"Skipped: {message}")
            skipped = _report(item, "setup", "skipped", reason)
            return [skipped, _report(item, "teardown")]
        case "error":
            return [_report(item, "setup", "failed", message), _report(item, "teardown")]
        case _:
            failed = _report(item, "call", "failed", message)
            return [_report(item, "setup"), failed, _report(item, "teardown")]


def _report(
    item: pytest.Item,
    when: str,
    outcome: str = "passed",
    longrepr: str | tuple[str, int, str] | None = None,
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=longrepr,
        when=when,  # type: ignore[arg-type]
    )
