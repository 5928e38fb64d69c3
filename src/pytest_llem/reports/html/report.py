"""What an HTML report is made from: a run as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.reports.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.compared import ComparedMetric
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import Manifest

VIEW = View(width=1_000_000, colour=False, unicode=True, verbosity=0, strict=False)
"""As the terminal writes numbers, with all the room there is."""


@dataclass(frozen=True, slots=True)
class ReportedExperiment:
    """An experiment, with what is kept beside its result."""

    row: SummaryRow
    previews: Sequence[str | None] = ()
    """Of each process, in their order, the JSON of what its raw data looks like
    (:class:`~pytest_llem.results.preview.document.Preview`); ``None`` where none was kept."""
    compared: Sequence[ComparedMetric] = ()
    """The samples of its baseline; empty if it has none, or none were kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """A run to be shown."""

    run_id: str
    experiments: Sequence[ReportedExperiment]
    """In the order of its plan."""
    manifest: Manifest | None = None
    environment: Environment | None = None
    head: Sequence[str] = ()
    """What the run was, a line each."""
    strict: bool = False
    """Whether verdicts that tell nothing failed the run."""
    problems: Sequence[str] = ()
    """What could not be read."""
