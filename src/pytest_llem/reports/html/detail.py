"""What is shown of one experiment once somebody opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.baselines.metrics import METRICS
from pytest_llem.energy.naming import QUALITY
from pytest_llem.reports.html.asked import asked_of, elsewhere_of, engine_of
from pytest_llem.reports.html.packing import finite
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.html.samples import samples_of
from pytest_llem.reports.html.windows import windows_of
from pytest_llem.reports.notes import explained
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    common_exponent,
    number,
    percent,
    plain_numbers,
    prefix,
    quantity,
    unit_of,
)
from pytest_llem.reports.recorded import figure_text, items_of, told
from pytest_llem.reports.rows import NOT_GATED, STYLES
from pytest_llem.reports.windows import facts_of, window_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.reports.html.report import ReportedExperiment
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.results.schema import ExperimentResult

_FIGURES = (
    (
        "energy per output token",
        "energy_per_output_token_j",
        "energy_per_output_token_uncertainty_j",
    ),
    ("energy per request", "energy_per_request_j", "energy_per_request_uncertainty_j"),
    ("energy per pass", "energy_j", "energy_uncertainty_j"),
    ("beyond idling, per pass", "net_energy_j", "net_energy_uncertainty_j"),
    ("power", "power_w", ""),
    ("output tokens per second", "output_tokens_per_s", ""),
    ("time to first token", "ttft_s", ""),
    ("time between tokens", "itl_s", ""),
    ("duration of a pass", "duration_s", ""),
)


class Figure(NamedTuple):
    """A figure of an experiment as a whole."""

    name: str
    text: str
    """With its unit."""
    remark: str
    is_estimate: bool


def detail_of(one: ReportedExperiment) -> dict[str, Any]:
    """Everything about an experiment, as JSON values."""
    row, result = one.row, one.row.result
    return {
        "message": _lines(result.message),
        "figures": [*_figures(row.measured), *map(_recorded, result.recorded)],
        "judgements": [_judgement(row, each) for each in row.judgements],
        "samples": samples_of(one),
        "processes": [_process(each) for each in row.processes or (result,)],
        "asked": asked_of(result),
        "engine": engine_of(result),
        "elsewhere": elsewhere_of(result),
        "hash": result.config_hash,
        "run": [["node id", result.node_id or VIEW.signs.unknown], ["started", result.started_at]],
    }


def _lines(text: str | None) -> list[str]:
    """A text line by line, with nothing in it that is not to be seen."""
    return [VIEW.clean(line) for line in (text or "").splitlines()]


def _figures(measured: Measured | None) -> Iterator[Figure]:
    """What was measured, of which an estimate says so."""
    if measured is None:
        return
    for name, field, uncertainty in _FIGURES:
        value = getattr(measured, field)
        if value is not None:
            yield _figure(name, field, value, measured, uncertainty)
    for name, phase in (("prefill", measured.prefill), ("decode", measured.decode)):
        if phase.energy_j is not None:
            told = f"{name}, per pass"
            spread = phase.energy_uncertainty_j
            text = _written("energy_j", phase.energy_j, spread, has_spread=True)
            yield _marked(told, text, estimated=measured.estimated)


def _figure(name: str, field: str, value: float, measured: Measured, uncertainty: str) -> Figure:
    spread = getattr(measured, uncertainty) if uncertainty else None
    text = _written(field, value, spread, has_spread=bool(uncertainty))
    return _marked(name, text, estimated=is_estimate(measured, field))


def _marked(name: str, text: str, *, estimated: bool) -> Figure:
    mark, remark = (ESTIMATED_MARK, "estimated, not measured") if estimated else ("", "")
    return Figure(name, mark + text, remark, estimated)


def _recorded(one: Recorded) -> Figure:
    counted = "" if one.items is None else items_of(one.items)
    remark = f"recorded by the test, {counted}" if counted else "recorded by the test"
    return Figure(VIEW.clean(one.name), VIEW.clean(figure_text(one, VIEW.signs)), remark, False)


def _written(field: str, value: float, spread: float | None, *, has_spread: bool) -> str:
    unit = unit_of(field)
    exponent = common_exponent([value]) if unit.scaled else 0
    if has_spread:
        written = number(
            value, spread, signs=VIEW.signs, exponent=exponent, with_uncertainty=True
        ).text(VIEW.signs)
    else:
        (written,) = plain_numbers([value], signs=VIEW.signs, exponent=exponent)
    return f"{written} {prefix(exponent, VIEW.signs)}{unit.symbol}".rstrip()


def _judgement(row: SummaryRow, one: Judgement) -> dict[str, Any]:
    metric = METRICS.get(one.metric)
    name = one.metric
    measured = next((m for m in row.result.measurements if m.name == one.measurement), None)
    estimated = is_estimate(measured, name)
    now, before = quantity(
        name, finite(one.candidate), finite(one.baseline), estimated=estimated, unicode=True
    )
    change = percent(one.change, one.interval, signs=VIEW.signs)
    low, high = one.interval or (None, None)
    least = one.minimum_detectable_change
    word = one.verdict if one.gated else NOT_GATED
    is_shown = measured is row.measured or one.metric.startswith(QUALITY)
    mark = ESTIMATED_MARK if estimated else ""
    return {
        "metric": VIEW.clean(name),
        "measurement": "" if is_shown else VIEW.clean(one.measurement),
        "word": word,
        "style": STYLES.get(word, ""),
        "now": now,
        "before": before,
        "limit": one.is_limit,
        "change": VIEW.signs.unknown
        if one.change is None
        else f"{mark}{change.number.text(VIEW.signs)} %",
        "interval": f"{change.interval} %" if change.interval else "",
        "bar": [finite(one.change), finite(low), finite(high)],
        "better": "higher" if metric is not None and metric.higher_is_better else "lower",
        "tolerance": VIEW.clean(one.tolerance),
        "least": VIEW.signs.unknown
        if least is None
        else f"{percent(least, None, signs=VIEW.signs).number.text(VIEW.signs)} %",
        "why": VIEW.clean(explained(row, one)),
    }


def previews_of(one: ReportedExperiment) -> str:
    """The pictures of its processes as a JSON array; ``null`` where there is none."""
    return f"[{','.join(text or 'null' for text in one.previews)}]"


def _process(result: ExperimentResult) -> dict[str, Any]:
    return {
        "title": f"process {result.repeat + 1}",
        "outcome": result.outcome.replace("_", " "),
        "message": _lines(result.message),
        "measurements": [_measurement(one) for one in result.measurements],
        "recorded": [VIEW.clean(told(one, VIEW.signs)) for one in result.recorded],
    }


def _measurement(measured: Measured) -> dict[str, Any]:
    return {
        "name": VIEW.clean(measured.name),
        "estimated": measured.estimated,
        "valid": measured.valid,
        **windows_of(measured),
        "said": facts_of(measured, VIEW),
        "warnings": list(_warnings(measured)),
    }


def _warnings(measured: Measured) -> Iterator[str]:
    for warning in dict.fromkeys(measured.warnings):
        yield VIEW.clean(warning)
    for window in measured.windows:
        for warning in window.warnings:
            yield VIEW.clean(f"{window_name(window)}: {warning}")
