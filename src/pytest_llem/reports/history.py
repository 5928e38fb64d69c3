"""Histories as tables and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.reports.baselines import amount, commit_of
from pytest_llem.reports.columns_of_text import in_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.history import History, Point

BAR = 24
"""Columns of the picture."""


def history_lines(history: History) -> list[str]:
    """A line for each session, oldest first, with its place between the least and the most."""
    one = history.experiment
    of = "" if history.measurement == "workload" else f" of {history.measurement}"
    values = [point.value for point in history.points]
    rows: list[tuple[str, ...]] = [("session", "began", "commit", "n", "value", "", "", "")]
    rows += [_row(history, point, min(values), max(values)) for point in history.points]
    lines = [
        f"{one.name}  on {one.hardware}: {history.metric}{of}",
        *in_columns(rows, {3, 4, 5}, "  "),
    ]
    if history.too_short:
        lines.append(f"  {len(history.points)} sessions are too few to tell a change from chance")
    return lines


def _row(history: History, point: Point, least: float, most: float) -> tuple[str, ...]:
    change = "" if point.change is None else f"{100 * point.change:+.1f} %"
    provenance = point.session.provenance
    said = [provenance.reason] if provenance is not None and provenance.reason else []
    if point.p_value is not None and point.level_change is not None:
        said.insert(0, f"◀ change {100 * point.level_change:+.1f} % (p = {point.p_value:.3f})")
    return (
        point.session.run_id,
        point.session.started_at[:16].replace("T", " "),
        commit_of(point.session),
        str(point.processes),
        amount(history.metric, point.value),
        change,
        _place(point.value, least, most),
        "; ".join(said),
    )


def _place(value: float, least: float, most: float) -> str:
    """A dot where *value* lies between *least* and *most*."""
    share = (value - least) / (most - least) if most > least else 0.5
    place = round(share * (BAR - 1))
    return "·" * place + "●" + "·" * (BAR - 1 - place)


def history_json(histories: Sequence[History]) -> list[dict[str, Any]]:
    """A record for each history."""
    return [
        {
            "experiment": history.experiment.name,
            "hardware": history.experiment.hardware,
            "identity": history.experiment.identity,
            "measurement": history.measurement,
            "metric": history.metric,
            "too_short": history.too_short,
            "points": [_point_json(point) for point in history.points],
        }
        for history in histories
    ]


def _point_json(point: Point) -> dict[str, Any]:
    provenance = point.session.provenance
    return {
        "run_id": point.session.run_id,
        "started_at": point.session.started_at,
        "commit": point.session.fingerprint.commit,
        "processes": point.processes,
        "value": point.value,
        "change": point.change,
        "change_point": point.p_value is not None,
        "p_value": point.p_value,
        "level_change": point.level_change,
        "reason": provenance and provenance.reason,
    }
