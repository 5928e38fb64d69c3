"""All that a page shows, as JSON values. Figures are the results'; here they are only written."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__
from pytest_llem.reports.hints import IN_ORDER, caveats
from pytest_llem.reports.html.about import about
from pytest_llem.reports.html.columns import page_columns
from pytest_llem.reports.html.detail import detail_of, previews_of
from pytest_llem.reports.html.packing import finite, packed
from pytest_llem.reports.html.points import Points
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.notes import failures
from pytest_llem.reports.rows import STYLES, entry_of, fails, name_of, shared_processes
from pytest_llem.reports.sorting import worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.reports.html.report import Report, ReportedExperiment
    from pytest_llem.reports.rows import Entry, SummaryRow
    from pytest_llem.reports.view import View

FORMAT = 1
"""Of the data in a page, for those who read it from there."""


def content_of(report: Report) -> dict[str, Any]:
    """What the page's scripts are given."""
    rows = [one.row for one in report.experiments]
    view = replace(VIEW, strict=report.strict, processes=shared_processes(rows))
    entries = [entry_of(row, view, _called(row)) for row in rows]
    ranks = {id(row): rank for rank, row in enumerate(worst_first(rows, strict=report.strict))}
    words = Counter(entry.word for entry in entries)
    points = Points(report.environment)
    experiments = [
        _experiment(one, entry, key, points, view) | {"rank": ranks[id(one.row)]}
        for one, entry, key in zip(report.experiments, entries, _keys(rows), strict=True)
    ]
    return {
        "format": FORMAT,
        "version": __version__,
        "run": report.run_id,
        "head": [VIEW.clean(line) for line in report.head],
        "strict": report.strict,
        "words": [[word, words[word], STYLES.get(word, "")] for word in IN_ORDER if words[word]],
        "caveats": [VIEW.clean(text) for text in [*caveats(rows).texts, *report.problems]],
        "columns": page_columns(entries, view) if entries else [],
        "experiments": experiments,
        "series": points.series,
        "energy": points.energy,
        "about": packed(about(report)),
    }


def _called(row: SummaryRow) -> str:
    """Its label, which stands above its test; the test's own name if it has none."""
    return row.result.label or row.result.group.rpartition("::")[2]


def _keys(rows: Sequence[SummaryRow]) -> list[str]:
    """A name for each experiment that is the same in the next report; told apart if need be."""
    seen: Counter[str] = Counter()
    keys = []
    for row in rows:
        key = VIEW.clean(row.result.experiment_id)
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}~{seen[key]}")
    return keys


def _experiment(
    one: ReportedExperiment, entry: Entry, key: str, points: Points, view: View
) -> dict[str, Any]:
    row, decisive = one.row, entry.decisive
    low, high = (decisive.interval if decisive else None) or (None, None)
    config = row.result.config
    return {
        "key": key,
        "group": VIEW.clean(row.result.group),
        "label": entry.label,
        "name": VIEW.clean(name_of(row)),
        "words": VIEW.clean(f"{config.model} {config.backend} {config.dtype}"),
        "word": entry.word,
        "style": STYLES.get(entry.word, ""),
        "change": None
        if decisive is None
        else [finite(decisive.change), finite(low), finite(high)],
        "estimated": entry.estimated,
        "why": _why(row, view),
        "point": points.of(row),
        "detail": packed(detail_of(one), previews=previews_of(one)),
    }


def _why(row: SummaryRow, view: View) -> str:
    """Why an experiment fails the run; empty if it does not."""
    if not fails(row, strict=view.strict):
        return ""
    return next((view.clean(note.text) for note in failures([row], view)), "")
