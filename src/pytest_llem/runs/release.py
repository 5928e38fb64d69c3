"""Releasing the reports of an experiment once it is judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.pooling import pooled_result
from pytest_llem.reports.failure import regression_text
from pytest_llem.reports.junit import user_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.errors import LlemError
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore

ATTRIBUTE = "llem"
"""Attribute of a report that carries an experiment's result across processes."""


@dataclass(slots=True)
class Kept:
    """What came of an experiment beside its reports."""

    results: list[ExperimentResult] = field(default_factory=list)
    """One a process."""
    planned: int = 1
    """How many processes it was to have."""
    name: str = ""
    """Name of the latest files in the run; empty if they could not be written."""
    judgements: list[Judgement] = field(default_factory=list)
    gates: tuple[str, ...] = ()
    """Its rules, as texts; empty if nothing gates it."""
    problem: LlemError | None = None
    """What kept it from being stored or judged."""

    @property
    def result(self) -> ExperimentResult | None:
        """All processes as one; ``None`` if nothing ran."""
        return pooled_result(self.results) if self.results else None


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where the reports of an experiment go."""

    config: pytest.Config
    hook: Any
    """Calls the hooks that see the experiment."""
    log: Callable[[pytest.TestReport], object]


def release(
    reports: Sequence[pytest.TestReport],
    kept: Kept,
    store: RunStore,
    outlet: Outlet,
    *,
    strict: bool,
) -> None:
    """Turn the call report into a failure where the gate says so, and log all reports."""
    result = kept.result
    for report in reports:
        if report.when == "call" and report.passed:
            _fail_if_due(report, kept, result, strict=strict)
    if result is not None:
        _describe(reports, kept, result, store)
        outlet.hook.pytest_llem_result(
            config=outlet.config, result=result, judgements=kept.judgements
        )
    for report in reports:
        outlet.log(report)


def _fail_if_due(
    report: pytest.TestReport, kept: Kept, result: ExperimentResult | None, *, strict: bool
) -> None:
    if kept.problem is not None:
        report.outcome = "failed"
        report.longrepr = f"{type(kept.problem).__name__}: {kept.problem}"
    elif result is not None and any(one.failed(strict=strict) for one in kept.judgements):
        report.outcome = "failed"
        processes = len(kept.results)
        report.longrepr = regression_text(
            result, kept.judgements, strict=strict, processes=processes
        )


def _describe(
    reports: Sequence[pytest.TestReport], kept: Kept, result: ExperimentResult, store: RunStore
) -> None:
    properties = user_properties(result, kept.judgements)
    if kept.planned > 1:
        properties.append(("llem.processes", len(kept.results)))
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
        "planned": kept.planned,
        "judgements": [asdict(judgement) for judgement in kept.judgements],
        "gates": list(kept.gates),
    }
