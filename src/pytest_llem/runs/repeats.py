"""An experiment of a session, and what its processes have come to so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.runs.release import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pytest_llem.errors import LlemError
    from pytest_llem.plan.point import Point
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.transitions import Key


@dataclass(slots=True, kw_only=True)
class Repeated:
    """One experiment, run in several processes and released as one test."""

    node_id: str
    planned: int
    """How many processes it is to have."""
    kept: Kept = field(default_factory=Kept)
    reports: Sequence[pytest.TestReport] = ()
    """Of the latest process, which stand for all; empty until one has ended."""
    ran: int = 0
    released: bool = False
    _spent_s: dict[str, float] = field(default_factory=dict)

    def take(
        self,
        reports: Sequence[pytest.TestReport],
        result: ExperimentResult | None,
        name: str,
        problem: LlemError | None,
    ) -> None:
        """Add a process that has ended: its result, the name it is stored under, what went wrong."""
        self.ran += 1
        self.kept.planned = self.planned
        if result is not None:
            self.kept.results.append(result)
        self.kept.name = name or self.kept.name
        self.kept.problem = self.kept.problem or problem
        self.reports = reports
        for report in reports:
            when = str(report.when)
            report.duration += self._spent_s.get(when, 0.0)
            self._spent_s[when] = report.duration
            if report.failed and self.planned > 1:
                report.sections.append(("llem", f"process {self.ran} of {self.planned}"))

    def line(self, outcome: str, *, told_again: bool) -> str:
        """What is said of the process that has just ended."""
        again = " (resumed)" if told_again else ""
        return f"llem: {self.node_id}, process {self.ran} of {self.planned}: {outcome}{again}"

    @property
    def may_go_on(self) -> bool:
        """Whether another process makes sense: one that was skipped would be skipped again."""
        skipped = any(result.outcome == "skipped" for result in self.kept.results)
        return self.ran < self.planned and bool(self.kept.results) and not skipped

    @property
    def is_broken(self) -> bool:
        """Whether it has failed already, whatever comes."""
        return bool(self.kept.problem) or any(report.failed for report in self.reports)

    @property
    def is_decided(self) -> bool:
        """Whether it can be reported: nothing is to come, or it has failed whatever comes."""
        return self.is_broken or not self.may_go_on


@dataclass(slots=True, kw_only=True)
class RepeatedItem(Repeated):
    """The same, where its processes are started."""

    item: pytest.Item
    point: Point

    @property
    def key(self) -> Key:
        """What names its next process in the journal."""
        return self.point.experiment_id, self.item.nodeid, self.ran
