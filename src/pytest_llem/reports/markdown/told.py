"""What a report in Markdown has to tell of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.pooling import by_experiment, key_of, pooled_result
from pytest_llem.reports.markdown.sources import Sources, Written
from pytest_llem.reports.rows import SummaryRow, name_of
from pytest_llem.reports.sorting import worst_first
from pytest_llem.reports.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
    from pytest_llem.reports.markdown.place import Place

WIDE = 10_000
"""Columns of a page that cuts nothing."""


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run, its experiments, and where they are written."""

    rows: Sequence[SummaryRow]
    """The worst first."""
    view: View
    place: Place
    sources: Sources
    run: ExportedRun | None
    """``None`` if its manifest cannot be read, or the experiments are of several."""
    named: Mapping[str, SummaryRow]
    """Its experiments by their full names."""

    def written(self, row: SummaryRow) -> Written | None:
        """Where the experiment's test is written; ``None`` if there is no such file here."""
        return self.sources.of(row.result.node_id)

    def source_url(self, row: SummaryRow) -> str | None:
        """Permanent address of the experiment's test, at the commit that was measured."""
        written = self.written(row)
        if written is None:
            return None
        return self.place.source_url(written.path, written.line, self._commit())

    def _commit(self) -> str | None:
        """What was measured: the service's own idea of it where that is not known."""
        environment = None if self.run is None else self.run.environment
        git = None if environment is None else environment.git
        return (None if git is None else git.commit) or self.place.commit


def told_run(experiments: Sequence[Exported], place: Place) -> ToldRun:
    """The run that *experiments* are of; processes of the same one are told together.

    Of a test that ran again because it had failed, the latest counts.
    """
    run = next((one.run for one in experiments if one.run is not None), None)
    project = None if run is None else run.project
    view = View(WIDE, False, True, 1, run is not None and run.strict)
    sources = Sources(Path.cwd() if project is None else project)
    return _told(_rows(experiments, run), view, place, sources, run)


def told_rows(
    rows: Iterable[SummaryRow], place: Place, project: Path, *, strict: bool, against: str
) -> ToldRun:
    """*rows* that are of no one run, of tests in *project*; changes are changes from *against*."""
    view = View(WIDE, False, True, 1, strict, against)
    return _told(rows, view, place, Sources(project), None)


def _told(
    rows: Iterable[SummaryRow],
    view: View,
    place: Place,
    sources: Sources,
    run: ExportedRun | None,
) -> ToldRun:
    ordered = worst_first(rows, strict=view.strict)
    named = {name_of(row): row for row in ordered}
    return ToldRun(ordered, view, place, sources, run, named)


def _rows(experiments: Sequence[Exported], run: ExportedRun | None) -> Iterator[SummaryRow]:
    judged = {id(one.result): one.judgements for one in experiments}
    planned = {} if run is None else run.manifest.processes()
    latest = {(*key_of(one.result), one.result.repeat): one.result for one in experiments}
    for processes in by_experiment(latest.values()).values():
        result = pooled_result(processes)
        wanted = max(planned.get(result.experiment_id, 1), len(processes))
        yield SummaryRow(result, judged[id(processes[0])], processes, wanted)
