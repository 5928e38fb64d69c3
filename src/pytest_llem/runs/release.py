"""Releasing the reports of an experiment once it is judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.reports.failure import regression_text
from pytest_llem.reports.junit import user_properties

if TYPE_CHECKING:
    import pytest

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.errors import LlemError
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore
    from pytest_llem.runs.items import ConductedItem

ATTRIBUTE = "llem"
"""Attribute of a report that carries an experiment's result across processes."""


@dataclass(slots=True)
class Kept:
    """What came of an experiment beside its reports."""

    result: ExperimentResult | None = None
    name: str = ""
    """Name of its files in the run; empty if they could not be written."""
    judgements: list[Judgement] = field(default_factory=list)
    problem: LlemError | None = None
    """What kept it from being stored or judged."""


def release(ended: ConductedItem, kept: Kept, store: RunStore, *, strict: bool) -> None:
    """Turn the call report into a failure where the gate says so, and log all reports."""
    reports = ended.reports
    for report in reports:
        if report.when == "call" and report.passed:
            _fail_if_due(report, kept, strict=strict)
    if kept.result is not None:
        _describe(reports, kept, store)
        ended.item.ihook.pytest_llem_result(
            config=ended.item.config, result=kept.result, judgements=kept.judgements
        )
    for report in reports:
        ended.item.ihook.pytest_runtest_logreport(report=report)


def _fail_if_due(report: pytest.TestReport, kept: Kept, *, strict: bool) -> None:
    if kept.problem is not None:
        report.outcome = "failed"
        report.longrepr = f"{type(kept.problem).__name__}: {kept.problem}"
    elif kept.result and any(judgement.failed(strict=strict) for judgement in kept.judgements):
        report.outcome = "failed"
        report.longrepr = regression_text(kept.result, kept.judgements, strict=strict)


def _describe(reports: list[pytest.TestReport], kept: Kept, store: RunStore) -> None:
    assert kept.result is not None  # noqa: S101 - checked by the caller
    properties = user_properties(kept.result, kept.judgements)
    told = False
    for report in reports:
        if report.when == "setup" and len(reports) > 1:
            continue
        report.user_properties.extend(properties)
        if kept.name and not told:
            told = True
            setattr(report, ATTRIBUTE, told_of(kept, store))


def told_of(kept: Kept, store: RunStore) -> dict[str, Any]:
    """What a report carries to the process that sums the run up, as JSON values."""
    return {
        "run": str(store.path),
        "name": kept.name,
        "judgements": [asdict(judgement) for judgement in kept.judgements],
    }
