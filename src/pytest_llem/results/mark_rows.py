"""Marks as the rows of one table, and back.

A measurement is a row of its own, followed by its warm-up, then by each window
with its passes: reading the rows in order gives the marks again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.energy.marks import Idle, MeasurementMarks, Pass, Served, WarmUp, WindowMark
from pytest_llem.energy.model_shape import ModelShape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_Row = dict[str, Any]
_WARM_UP = ("start_ns", "end_ns", "converged", "reason")
_WINDOW = ("start_ns", "end_ns", "output_length")
_PASS = ("start_ns", "end_ns", "requests", "input_tokens", "output_tokens", "ttft_s", "itl_s")
_LATER = ("first_token_ns", "prefill_end_ns", "batching")
"""Of passes; files of before do not have them."""


def rows_of(marks: Iterable[MeasurementMarks]) -> Iterator[_Row]:
    """One row a measurement, warm-up, window and pass; what a row lacks is ``None``."""
    for number, measurement in enumerate(marks):
        about = {"measurement": number, "name": measurement.name, "kind": measurement.kind}
        for row in _measurement_rows(measurement):
            yield about | row


def _measurement_rows(marks: MeasurementMarks) -> Iterator[_Row]:
    own = {"end_ns": marks.load_end_ns, "read_until_ns": marks.read_until_ns}
    model = None if marks.model is None else marks.model.model_dump_json()
    idle = None if marks.idle is None else marks.idle.model_dump_json()
    differences = json.dumps(marks.differences) if marks.differences else None
    traffic = None if marks.traffic is None else marks.traffic.model_dump_json()
    said = {
        "model": model,
        "idle": idle,
        "phases": marks.phases,
        "differences": differences,
        "traffic": traffic,
    }
    yield {"record": "measurement", **said, **own}
    if marks.warm_up is not None:
        warm_up = _taken(marks.warm_up, _WARM_UP)
        warm_up["criteria"] = _criteria(marks.warm_up)
        yield {"record": "warm_up", "warm_up_passes": marks.warm_up.passes, **warm_up}
    for window in marks.windows:
        about = {"phase": window.phase, "window_index": window.index}
        yield {"record": "window", **about, **_taken(window, _WINDOW)}
        for index, done in enumerate(window.passes):
            reasons = list(done.finish_reasons.items())
            served = None if done.served is None else done.served.model_dump_json()
            row = {"record": "pass", "pass_index": index, "finish_reasons": reasons}
            row["served"] = served
            row["latencies"] = json.dumps(done.latencies) if done.latencies else None
            yield about | row | _taken(done, (*_PASS, *_LATER))


def _criteria(warm_up: WarmUp) -> str | None:
    criteria = [one.model_dump() for one in warm_up.criteria]
    return json.dumps(criteria) if criteria else None


def _taken(source: object, names: Iterable[str]) -> _Row:
    return {name: getattr(source, name) for name in names}


def marks_of(rows: Iterable[_Row]) -> list[MeasurementMarks]:
    """The marks that :func:`rows_of` gave *rows* for, in the same order.

    Raises:
        ValueError, LookupError: *rows* are no such rows.
    """
    return [_measurement(group) for group in _split(rows, "measurement")]


def _measurement(rows: Sequence[_Row]) -> MeasurementMarks:
    head, *rest = rows
    warm_up = _warm_up(rest.pop(0)) if rest and rest[0]["record"] == "warm_up" else None
    return MeasurementMarks(
        name=head["name"],
        kind=head["kind"],
        warm_up=warm_up,
        windows=tuple(_window(group) for group in _split(rest, "window")),
        load_end_ns=head["end_ns"],
        read_until_ns=head["read_until_ns"],
        model=_model(head.get("model")),
        idle=_idle(head.get("idle")),
        phases=head.get("phases") or "auto",
        differences=tuple(json.loads(head.get("differences") or "[]")),
        traffic=_traffic(head.get("traffic")),
    )


def _idle(text: str | None) -> Idle | None:
    """What was seen of idling; unknown in files of before."""
    return None if text is None else Idle.model_validate_json(text)


def _traffic(text: str | None) -> TrafficConfig | None:
    """Files of before traffic have no such column."""
    return None if text is None else TrafficConfig.model_validate_json(text)


def _served(text: str | None) -> Served | None:
    """As above."""
    return None if text is None else Served.model_validate_json(text)


def _model(text: str | None) -> ModelShape | None:
    """Files of before the floor have no such column."""
    return None if text is None else ModelShape.model_validate_json(text)


def _warm_up(row: _Row) -> WarmUp:
    criteria = json.loads(row.get("criteria") or "[]")  # unknown in files of before
    taken = {name: row[name] for name in _WARM_UP}
    return WarmUp(passes=row["warm_up_passes"], criteria=criteria, **taken)


def _window(rows: Sequence[_Row]) -> WindowMark:
    head, *passes = rows
    return WindowMark(
        phase=head["phase"],
        index=head["window_index"],
        start_ns=head["start_ns"],
        end_ns=head["end_ns"],
        passes=tuple(map(_pass, passes)),
        output_length=head.get("output_length"),
    )


def _pass(row: _Row) -> Pass:
    if row["record"] != "pass":
        raise ValueError(row["record"])
    reasons = dict(row["finish_reasons"])
    later = {name: row.get(name) for name in _LATER}
    later["served"] = _served(row.get("served"))
    latencies = json.loads(row.get("latencies") or "{}")  # unknown in files of before
    return Pass(
        finish_reasons=reasons, latencies=latencies, **later, **{name: row[name] for name in _PASS}
    )


def _split(rows: Iterable[_Row], record: str) -> list[list[_Row]]:
    """Groups that begin with a row of the kind *record* each."""
    groups: list[list[_Row]] = []
    for row in rows:
        if row["record"] == record:
            groups.append([])
        elif not groups:
            raise ValueError(row["record"])
        groups[-1].append(row)
    return groups
