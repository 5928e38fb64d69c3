"""Every window of a measurement as a table, for ``-vv``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.cells import Cell
from pytest_llem.reports.ink import Line, Style, line
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    common_exponent,
    number,
    prefix,
    unit_of,
)
from pytest_llem.reports.table import Column, Labels, Table, laid_out
from pytest_llem.reports.text import cut_middle, display_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.latency import Latencies
    from pytest_llem.energy.marks import Idle
    from pytest_llem.energy.measured import Floor, Measured, TrafficFigures, WindowSample
    from pytest_llem.reports.text import Glyphs
    from pytest_llem.reports.view import View

_NUMBER = (True, False, False, True, False)
_INDENT = "  "


class WindowFigure(NamedTuple):
    """A field of a window, and how its column is headed."""

    field: str
    title: str
    turn: int
    """When it is left out of a table that is too wide."""
    uncertainty: str = ""


FIGURES = (
    WindowFigure("duration_s", "duration", 9),
    WindowFigure("passes", "passes", 5),
    WindowFigure("energy_j", "energy", 12, "energy_uncertainty_j"),
    WindowFigure("energy_per_output_token_j", "per output token", 10),
    WindowFigure("counter_energy_j", "by counter", 6),
    WindowFigure("integrated_energy_j", "by power", 7),
    WindowFigure("power_w", "power", 11),
    WindowFigure("requests", "requests", 0),
    WindowFigure("input_tokens", "input tokens", 1),
    WindowFigure("output_tokens", "output tokens", 4),
    WindowFigure("ttft_s", "TTFT", 3),
    WindowFigure("itl_s", "ITL", 2),
    WindowFigure("temperature_c", "at start", 8),
    WindowFigure("sm_clock_mhz", "SM clock", 8),
    WindowFigure("power_limit_w", "limit", 1),
)


def window_lines(measured: Measured, view: View) -> list[Line]:
    """One line a window, then what was said about single windows.

    Columns of which no window knows anything are not there.
    """
    table = _table(measured, view)
    said = [
        text
        for window in measured.windows
        for warning in window.warnings
        for text in wrapped(
            view.clean(f"{window_name(window)}: {warning}"),
            view.width,
            first=_INDENT,
            indent=_INDENT * 2,
        )
    ]
    for told in facts_of(measured, view):
        said += wrapped(told, view.width, first=_INDENT, indent=_INDENT * 2)
    if table.left_out:
        names = ", ".join(table.left_out)
        said += wrapped(f"left out at {view.width} columns: {names}", view.width, first=_INDENT)
    return [*table.head, *table.rows, *(line(text, "dim") for text in said)]


def facts_of(measured: Measured, view: View) -> list[str]:
    """What there is to say of a measurement beside its windows, a sentence each."""
    told = _phases(measured)
    if measured.floor is not None:
        told.append(f"floor: {_floor(measured.floor, view.signs)}")
    if measured.traffic is not None:
        told.append(f"traffic: {_traffic(measured.traffic)}")
    if measured.latencies is not None:
        told.append(f"latency: {_latencies(measured.latencies)}")
    if measured.idle is not None:
        told.append(f"idle: {_idle(measured, measured.idle)}")
    return [view.clean(one) for one in told]


def _phases(measured: Measured) -> list[str]:
    """How each phase was told apart, or why not; once where the same holds for both."""
    prefill, decode = measured.prefill, measured.decode
    if (prefill.method, prefill.reason) == (decode.method, decode.reason):
        return [f"phases: {prefill.method}. {prefill.reason}"]
    both = (("prefill", prefill), ("decode", decode))
    return [f"{name}: {phase.method}. {phase.reason}" for name, phase in both]


def _traffic(traffic: TrafficFigures) -> str:
    """Rates, failures and goodput, each where it is known."""
    clients = "" if traffic.concurrency is None else f" of {traffic.concurrency}"
    rates = [
        ("offered", traffic.offered_per_s),
        ("served", traffic.served_per_s),
        ("within the SLO", traffic.goodput_per_s),
    ]
    told = [f"{rate:.4g}/s {name}" for name, rate in rates if rate is not None]
    kinds = ", ".join(f"{count} {kind}" for kind, count in traffic.failures.items())
    failed = f"{traffic.failed} failed" + (f" ({kinds})" if kinds else "")
    return ", ".join([f"{traffic.loop} loop{clients}", *told, failed])


def _latencies(latencies: Latencies) -> str:
    kinds = (
        ("queue", latencies.queue),
        ("TTFT", latencies.ttft),
        ("ITL", latencies.itl),
        ("TPOT", latencies.tpot),
        ("E2E", latencies.e2e),
        ("sent late by", latencies.lateness),
    )
    parts = [
        f"{name} {one.p50_s * 1e3:.3g} / {one.p90_s * 1e3:.3g} / {one.p99_s * 1e3:.3g} ms"
        for name, one in kinds
        if one is not None
    ]
    return f"{', '.join(parts)} (50th, 90th and 99th percentile)"


def _idle(measured: Measured, idle: Idle) -> str:
    if idle.power_w is None:
        return f"unknown, since {idle.reason}"
    text = f"{idle.power_w:.1f} W {idle.reason}"
    if idle.confirmed:
        text += ", known before and confirmed"
    if measured.net_energy_j is None or not measured.energy_j:
        return text
    return f"{text}; {measured.net_energy_j / measured.energy_j:.1%} of the energy is beyond that"


def _floor(floor: Floor, signs: Glyphs) -> str:
    strict, reference = floor.strict_per_output_token_j, floor.reference_per_output_token_j
    if strict is None:
        return f"none, since {floor.reason}"
    exponent = common_exponent([reference or strict])
    shown = [number(value, signs=signs, exponent=exponent) for value in (strict, reference)]
    unit = f"{prefix(exponent, signs)}J/output token"
    text = f"strict {shown[0].text(signs)}, reference {shown[1].text(signs)} {unit}"
    for name, figures in (("measured", floor), ("decode", floor.decode)):
        if figures is not None and figures.times_reference is not None:
            times = number(figures.times_reference, signs=signs)
            text += f", {name} {times.text(signs)} times the reference"
    return f"{text} ({floor.reason})"


def _table(measured: Measured, view: View) -> Table:
    windows = measured.windows
    columns = [
        _column(figure, measured, view)
        for figure in FIGURES
        if any(getattr(window, figure.field) is not None for window in windows)
    ]
    columns.append(_remarks(windows, view))
    names = [_INDENT + window_name(window) for window in windows]
    labels = Labels(
        title=_INDENT + "window",
        natural=max(map(display_width, names), default=0),
        at=lambda room: [cut_middle(name, room, view.signs.ellipsis) for name in names],
    )
    return laid_out(labels, columns, width=view.width, signs=view.signs)


def window_name(window: WindowSample) -> str:
    """Such as ``prefill 2``."""
    return f"{window.phase} {window.index + 1}"


def _column(figure: WindowFigure, measured: Measured, view: View) -> Column:
    windows = measured.windows
    values: list[float | None] = [getattr(window, figure.field) for window in windows]
    unit = unit_of(figure.field)
    exponent = common_exponent(values) if unit.scaled else 0
    is_energy = unit.symbol in {"J", "W"} and figure.field != "power_limit_w"
    mark = ESTIMATED_MARK if measured.estimated and is_energy else ""
    cells = []
    for value, window in zip(values, windows, strict=True):
        parts: tuple[str, ...] = (view.signs.unknown,)
        if value is not None:
            parts = _parts(value, window, figure, exponent, view.signs)
            parts = (mark + parts[0], *parts[1:])
        cells.append(Cell(parts, "" if window.valid else "dim"))
    symbol = view.clean(prefix(exponent, view.signs) + unit.symbol)
    title = (figure.title, mark + symbol)
    return Column(figure.title, title, cells, _NUMBER, leaves=figure.turn)


def _parts(
    value: float, window: WindowSample, figure: WindowFigure, exponent: int, signs: Glyphs
) -> tuple[str, ...]:
    if isinstance(value, int):
        return (str(value),)
    if not figure.uncertainty:
        return number(value, signs=signs, exponent=exponent)[:2]
    uncertainty = getattr(window, figure.uncertainty)
    written = number(value, uncertainty, signs=signs, exponent=exponent, with_uncertainty=True)
    return (*written[:2], f" {signs.plus_minus} ", *written[2:])


def _remarks(windows: Sequence[WindowSample], view: View) -> Column:
    """What spoils each window; ``ok`` where nothing does."""
    cells = [Cell((view.clean(remark(window)),), _remark_style(window)) for window in windows]
    return Column("remarks", ("", "remarks"), cells, (False,), leaves=None)


def remark(window: WindowSample) -> str:
    """What spoils a window, in a few words; ``ok`` where nothing does."""
    said = [] if window.valid else ["invalid"]
    if window.throttle_reasons:
        said.append(f"throttled: {' '.join(window.throttle_reasons)}")
    if window.warnings:
        said.append(f"{len(window.warnings)} warning{'s' if len(window.warnings) > 1 else ''}")
    return ", ".join(said) or "ok"


def _remark_style(window: WindowSample) -> Style:
    return "" if remark(window) == "ok" else "yellow"
