"""The HTML report of a run, made from what the run keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import LlemError, StoreError
from pytest_llem.reports.uncollected import uncollected
from pytest_llem.results.files import reason_and_remedy, replacing
from pytest_llem.runs.showing import kept_environment, stored_rows, unfinished_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.baselines.compared import ComparedMetric
    from pytest_llem.reports.html.report import Report
    from pytest_llem.results.store import RunStore


def write_html(store: RunStore, path: Path) -> None:
    """Write the report of a run to *path*, and make its directory if there is none.

    Raises:
        LlemError: the run cannot be read, or the file not be written, and what to do.
    """
    from pytest_llem.reports.html.page import page_of

    with uncollected():
        page = page_of(report_of(store))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(page.encode(errors="backslashreplace"))
    except OSError as error:
        reason, remedy = reason_and_remedy(error)
        raise StoreError(
            f"cannot write the report {path}: {reason}. {remedy}. Results are kept; write it again "
            f"with: llem runs html {store.path} -o FILE"
        ) from error


def report_of(store: RunStore) -> Report:
    """What a report of the run has to show; of an interrupted one what there is.

    Raises:
        StoreError: its manifest or its results cannot be read.
    """
    from pytest_llem.reports.html.report import Report, ReportedExperiment
    from pytest_llem.reports.runs import head_lines
    from pytest_llem.results.listing import stored_run

    problems: list[str] = []
    manifest, environment = store.manifest(), kept_environment(store, problems)
    rows = stored_rows(store, manifest, problems)
    compared = _compared(store, problems)
    run = stored_run(store.path)
    problems += unfinished_of(run)
    return Report(
        run_id=store.run_id,
        experiments=[
            ReportedExperiment(
                row=one.row,
                previews=[store.preview_text(name) for name in one.names],
                compared=next((compared[name] for name in one.names if name in compared), ()),
            )
            for one in rows.shown
        ],
        manifest=manifest,
        environment=environment,
        head=head_lines(run, manifest, environment),
        strict=rows.strict,
        problems=problems,
    )


def _compared(store: RunStore, problems: list[str]) -> dict[str, tuple[ComparedMetric, ...]]:
    from pytest_llem.baselines.compared import kept_compared

    try:
        kept = kept_compared(store)
    except LlemError as error:
        problems.append(str(error))
        return {}
    return {} if kept is None else kept.baselines
