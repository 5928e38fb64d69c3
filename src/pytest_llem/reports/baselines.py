"""Baselines as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.catalogue import known_metrics, summed_up, value_of
from pytest_llem.baselines.explaining import amounts
from pytest_llem.baselines.metrics import metric_named
from pytest_llem.reports.columns_of_text import in_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.catalogue import Catalogued, Changed, Moved
    from pytest_llem.baselines.file import BaselineSession

SHORT_COMMIT = 9
UNKNOWN = "–"  # noqa: RUF001 - the sign that tables of this plugin have for it


def amount(metric: str, *values: float) -> str:
    """Values with the metric's unit."""
    return amounts(values, metric_named(metric))


def commit_of(session: BaselineSession) -> str:
    """Short, with a mark where there were uncommitted changes."""
    sha, _, dirty = (session.fingerprint.commit or "").partition("+")
    return (sha[:SHORT_COMMIT] + ("+" if dirty else "")) or UNKNOWN


def list_lines(catalogued: Sequence[Catalogued]) -> list[str]:
    """A block for each group and class of hardware, a line for each experiment."""
    lines: list[str] = []
    for place in dict.fromkeys((one.group, one.hardware) for one in catalogued):
        rows = [_row(one) for one in catalogued if (one.group, one.hardware) == place]
        heading = ("experiment", "value", "sessions", "latest", "commit", "reason")
        lines += [f"{place[0]}  on {place[1]}", *in_columns([heading, *rows], {1, 2}, "  ")]
    return lines


def _row(one: Catalogued) -> tuple[str, ...]:
    found, latest = summed_up(one), one.latest
    current, every = len(one.entry.current), len(one.entry.sessions)
    reason = latest.provenance.reason if latest.provenance is not None else None
    return (
        one.entry.label or one.identity,
        UNKNOWN if found is None else amount(found[1], found[2]),
        str(every) if current == every else f"{current} of {every}",
        latest.started_at[:10],
        commit_of(latest),
        reason or "",
    )


def list_json(catalogued: Sequence[Catalogued]) -> list[dict[str, Any]]:
    """A record for each experiment."""
    return [_record(one) for one in catalogued]


def _record(one: Catalogued) -> dict[str, Any]:
    found = summed_up(one)
    return {
        "experiment": one.name,
        "group": one.group,
        "hardware": one.hardware,
        "identity": one.identity,
        "metric": found and found[1],
        "value": found and found[2],
        "sessions": [_session_json(session, one) for session in one.entry.sessions],
    }


def _session_json(session: BaselineSession, one: Catalogued) -> dict[str, Any]:
    provenance = session.provenance
    return {
        "run_id": session.run_id,
        "started_at": session.started_at,
        "commit": session.fingerprint.commit,
        "current": session in one.entry.current,
        "processes": max(map(len, session.measurements.values())),
        "by": provenance and provenance.by,
        "reason": provenance and provenance.reason,
        "version": provenance and provenance.version,
    }


def show_lines(one: Catalogued) -> list[str]:
    """Everything about one baseline: its sessions, its values, and where it was measured."""
    print_ = one.latest.fingerprint
    packages = ", ".join(f"{name} {version}" for name, version in sorted(print_.packages.items()))
    facts = [
        ("hardware", f"{one.hardware} ({', '.join(print_.devices)})"),
        ("identity", one.identity),
        ("read by", f"{print_.meter}, {print_.scope}, {print_.method}"),
        ("system", ", ".join(filter(None, (print_.os, print_.kernel, print_.python)))),
        ("driver", print_.driver_version or UNKNOWN),
        ("packages", packages or UNKNOWN),
    ]
    lines = [one.name, *in_columns(facts, indent="  "), "", *_session_lines(one)]
    for measurement in one.measurements:
        lines += ["", f"  {measurement}", *_value_lines(one, measurement)]
    return lines


def _session_lines(one: Catalogued) -> list[str]:
    rows = [("session", "began", "commit", "processes", "by", "reason")]
    for session in one.entry.sessions:
        provenance = session.provenance
        rows.append(
            (
                session.run_id if session in one.entry.current else f"({session.run_id})",
                session.started_at,
                commit_of(session),
                str(max(map(len, session.measurements.values()))),
                provenance.by if provenance is not None else UNKNOWN,
                (provenance.reason if provenance is not None else None) or "",
            )
        )
    lines = in_columns(rows, {3}, "  ")
    if len(one.entry.current) < len(one.entry.sessions):
        lines.append("  (in parentheses: history, which nothing is compared with)")
    return lines


def _value_lines(one: Catalogued, measurement: str) -> list[str]:
    rows = []
    for metric in known_metrics(one, measurement):
        value = one.value(measurement, metric)
        each = [value_of([session], measurement, metric) for session in one.entry.current]
        spread = [found for found in each if found is not None]
        several = f"{amount(metric, min(spread), max(spread))}" if len(spread) > 1 else ""
        rows.append((metric, UNKNOWN if value is None else amount(metric, value), several))
    return in_columns(rows, {1}, "    ")


def show_json(one: Catalogued) -> dict[str, Any]:
    """The same as a record."""
    return {
        **_record(one),
        "config": one.entry.config,
        "own_arguments": one.entry.own_arguments,
        "fingerprint": one.latest.fingerprint.model_dump(mode="json"),
        "values": {
            measurement: {
                metric: one.value(measurement, metric) for metric in known_metrics(one, measurement)
            }
            for measurement in one.measurements
        },
    }


def diff_lines(changed: Sequence[Changed]) -> list[str]:
    """A block for each experiment that is not the same in both places."""
    return [line for one in changed for line in _diff_block(one)]


def _diff_block(one: Changed) -> Iterator[str]:
    sign = "~" if one.before and one.now else "+" if one.now else "-"
    yield f"{sign} {one.either.name}  on {one.either.hardware}"
    if sign != "~":
        found = summed_up(one.either)
        if found is not None:
            yield f"    {found[1]}  {amount(found[1], found[2])}"
        return
    yield from in_columns([_moved_row(moved) for moved in one.moved], {1, 2}, "    ")
    latest = one.now.latest if one.now else one.either.latest
    if latest.provenance is not None and latest.provenance.reason:
        yield f"    reason: {latest.provenance.reason}"
    if one.before and one.now and (text := _sessions_differ(one.before, one.now)):
        yield f"    {text}"
    yield from (f"    {difference}" for difference in one.differences)


def _sessions_differ(before: Catalogued, now: Catalogued) -> str | None:
    counts = [len(side.entry.sessions) for side in (before, now)]
    return None if counts[0] == counts[1] else f"sessions {counts[0]} → {counts[1]}"


def _moved_row(moved: Moved) -> tuple[str, str, str]:
    named = (
        moved.metric if moved.measurement == "workload" else f"{moved.measurement}: {moved.metric}"
    )
    known = [value for value in (moved.before, moved.now) if value is not None]
    if moved.change is None:
        said = "was unknown" if moved.before is None else "is unknown now"
        if len(known) > 1:
            said = ""
        return named, amount(moved.metric, *known), said
    return named, amount(moved.metric, *known), f"{100 * moved.change:+.1f} %"


def diff_json(changed: Sequence[Changed]) -> list[dict[str, Any]]:
    """A record for each experiment that is not the same in both places."""
    return [
        {
            "experiment": one.either.name,
            "hardware": one.either.hardware,
            "identity": one.either.identity,
            "change": "changed" if one.before and one.now else "added" if one.now else "removed",
            "metrics": [
                {
                    "measurement": moved.measurement,
                    "metric": moved.metric,
                    "before": moved.before,
                    "now": moved.now,
                    "change": moved.change,
                }
                for moved in one.moved
            ],
            "differences": list(one.differences),
        }
        for one in changed
    ]
