"""A result as one row of named values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.samples import measurements_by_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.results.schema import ExperimentResult

Value = bool | int | float | str | None
RESULT = (
    *("run_id", "experiment_id", "config_hash", "group", "label", "node_id", "repeat"),
    *("outcome", "message", "started_at"),
)
"""Of the result itself, in this order."""
WARM_UP = ("converged", "reason", "passes")
HEADLINE = {"windows", "warm_up", "beside", "idle", "floor", "prefill", "decode", "latencies"}
"""What a measurement holds beside its own figures."""
JUDGED = (
    *("verdict", "gated", "change", "baseline", "tolerance", "minimum_detectable_change"),
    "explanation",
)


def row_of(exported: Exported) -> dict[str, Value]:
    """Everything of *exported* that is one value, by dotted names; ``None`` is unknown.

    The result's own fields, ``argument.NAME``, the headline's figures with its phases, floor,
    latencies and other scopes (``beside.SCOPE.METER.energy_j``), what the test recorded
    (``quality.NAME`` with its uncertainty, items and unit), ``gate.METRIC.verdict`` (of a
    measurement beyond the headline ``gate.MEASUREMENT.METRIC.verdict``) and ``config.FIELD``.
    Units are the suffixes of names, as in the result.
    """
    headline = exported.result.headline
    row = _own(exported.result)
    if headline is not None:
        row |= _measured(headline)
    for judgement in exported.judgements:
        further = headline is not None and judgement.measurement != headline.name
        row |= _judged(f"gate.{judgement.measurement}." if further else "gate.", judgement)
    return row | _config(exported.result)


def rows_of(exported: Exported) -> Iterator[dict[str, Value]]:
    """The same of each measurement, with what was said of that one; one row where there is none."""
    result = exported.result
    for number, (name, measured) in enumerate(measurements_by_name(result).items()):
        row = _own(result) | {"measurement_number": number} | _measured(measured)
        for judgement in exported.judgements:
            if judgement.measurement == name:
                row |= _judged("gate.", judgement)
        yield row | {"measurement": name} | _config(result)
    if not result.measurements:
        yield _own(result) | _config(result)


def columns_of(rows: Sequence[Mapping[str, Value]]) -> list[str]:
    """The names in all *rows*; those of one group stay together, in the order they came."""
    groups: dict[str, dict[str, None]] = {}
    for row in rows:
        for name in row:
            groups.setdefault(name.partition(".")[0] if "." in name else "", {})[name] = None
    own = groups.pop("", {})
    return [*own, *(name for group in groups.values() for name in group)]


def _measured(headline: Measured) -> dict[str, Value]:
    plain = headline.model_dump(mode="json")
    row: dict[str, Value] = {"measurement": plain.pop("name")}
    row |= dict(_flattened("", {k: v for k, v in plain.items() if k not in HEADLINE}))
    row["energy_estimated"] = headline.estimated
    row["windows"] = len(headline.samples())
    row["valid_windows"] = sum(window.valid for window in headline.samples())
    for part in ("prefill", "decode", "floor", "idle", "latencies"):
        row |= dict(_flattened(f"{part}.", plain[part] or {}))
    if plain["warm_up"] is not None:
        row |= {f"warm_up.{name}": plain["warm_up"][name] for name in WARM_UP}
    for scope in plain["beside"]:
        row |= dict(_flattened(f"beside.{scope['scope']}.{scope['meter']}.", scope))
    return row


def _own(result: ExperimentResult) -> dict[str, Value]:
    plain = result.model_dump(mode="json", include=set(RESULT))
    row: dict[str, Value] = {name: plain[name] for name in RESULT}
    row |= {f"argument.{name}": value for name, value in result.own_arguments.items()}
    for one in result.recorded:
        row[one.metric] = one.value
        row[f"{one.metric}.uncertainty"] = one.uncertainty
        row[f"{one.metric}.items"] = one.items
        row[f"{one.metric}.unit"] = one.unit or None
    return row


def _config(result: ExperimentResult) -> dict[str, Value]:
    return dict(_flattened("config.", result.config.model_dump(mode="json")))


def _judged(prefix: str, judgement: Judgement) -> dict[str, Value]:
    prefix = f"{prefix}{judgement.metric}."
    low, high = judgement.interval or (None, None)
    return {
        **{prefix + name: getattr(judgement, name) for name in JUDGED},
        f"{prefix}change_low": low,
        f"{prefix}change_high": high,
    }


def _flattened(prefix: str, plain: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from _flattened(f"{prefix}{name}.", value)
        elif isinstance(value, list):
            if all(isinstance(each, str | int | float) for each in value):
                yield f"{prefix}{name}", "; ".join(map(str, value)) or None
        else:
            yield f"{prefix}{name}", value
