"""Experiments as a table: base, now, change with its interval, verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.reports.markdown.words import code, prose
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    common_exponent,
    number,
    percent,
    prefix,
    quantity,
    unit_of,
)
from pytest_llem.reports.rows import fails, name_of, processes_of
from pytest_llem.reports.text import UNICODE
from pytest_llem.reports.view import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.reports.markdown.told import ToldRun
    from pytest_llem.reports.rows import Entry, SummaryRow

_UNKNOWN = UNICODE.unknown
_FAILS, _LOOK, _GOOD = "❌", "⚠️", "✅"


class _Figures(NamedTuple):
    """What a line says of one metric."""

    metric: str
    base: str = _UNKNOWN
    now: str = _UNKNOWN
    change: str = _UNKNOWN


def table_head(told: ToldRun) -> str:
    """The first two lines of the table."""
    sides = "base | now" if told.view.against == BASELINE else "a | b"
    titles = f"| experiment | metric | {sides} | change [interval] | verdict |"
    return f"{titles}\n| :-- | :-- | --: | --: | --: | :-- |"


def table_lines(row: SummaryRow, told: ToldRun, *, in_full: bool) -> Iterator[str]:
    """The lines of an experiment: one, or *in_full* one for each of its gates, the worst first."""
    entry = row.entry
    name = linked(row, told, in_cell=True) + _processes(row)
    first = entry.decisive
    yield _line(name, _figures(row, entry, first), _verdict(row, entry, first, told))
    if first is None or not in_full:
        return
    for judgement in row.judgements:
        if judgement.gated and judgement is not first:
            figures = _figures(row, entry, judgement)
            yield _line(name, figures, _sign(judgement, told) + judgement.verdict)


def linked(row: SummaryRow, told: ToldRun, *, in_cell: bool = False) -> str:
    """The experiment's name, as a link to its test where that has an address."""
    name, url = code(name_of(row), in_cell=in_cell), told.source_url(row)
    return name if url is None else f"[{name}]({url})"


def _processes(row: SummaryRow) -> str:
    return "" if row.planned == 1 else f" ({processes_of(row)})"


def _line(name: str, figures: _Figures, verdict: str) -> str:
    metric, base, now, change = figures
    cells = (name, metric, _unbroken(base), _unbroken(now), change, verdict)
    return f"| {' | '.join(cells)} |"


def _unbroken(figure: str) -> str:
    """A number on one line with its unit."""
    return figure.replace(" ", "&nbsp;")


def _verdict(row: SummaryRow, entry: Entry, first: Judgement | None, told: ToldRun) -> str:
    word = prose(entry.word)
    if fails(row, strict=told.view.strict):
        return f"{_FAILS} **{word}**"
    if first is not None and first.gated and first.verdict == entry.word:
        return _sign(first, told) + word
    return f"{_LOOK} {word}" if entry.word == "invalid" else word


def _sign(judgement: Judgement, told: ToldRun) -> str:
    if judgement.failed(strict=told.view.strict):
        return f"{_FAILS} "
    if judgement.verdict in {"pass", "improved"}:
        return f"{_GOOD} "
    return "" if judgement.verdict == "new" else f"{_LOOK} "


def _figures(row: SummaryRow, entry: Entry, judgement: Judgement | None) -> _Figures:
    if judgement is None:
        return _measured(entry)
    measured = next((m for m in row.result.measurements if m.name == judgement.measurement), None)
    estimated = is_estimate(measured, judgement.metric)
    base, now = quantity(
        judgement.metric,
        judgement.baseline,
        judgement.candidate,
        estimated=estimated,
        unicode=True,
    )
    if judgement.is_limit:
        base = f"limit {base.removeprefix(ESTIMATED_MARK)}"
    headline = row.result.headline
    of = "" if measured is None or measured is headline else f"{judgement.measurement}: "
    return _Figures(
        _metric(of + judgement.metric, estimated=estimated),
        base,
        now,
        _change(judgement, estimated=estimated),
    )


def _measured(entry: Entry) -> _Figures:
    """Of what was compared with nothing: the energy, with its uncertainty."""
    if entry.measured is None or entry.denominator is None:
        return _Figures(_UNKNOWN)
    _, metric, uncertainty = entry.denominator
    value, spread = getattr(entry.measured, metric), getattr(entry.measured, uncertainty)
    unit, exponent = unit_of(metric), common_exponent([value])
    written = number(value, spread, signs=UNICODE, exponent=exponent, with_uncertainty=True)
    mark = ESTIMATED_MARK if entry.estimated else ""
    now = f"{mark}({written.text(UNICODE)}) {prefix(exponent, UNICODE)}{unit.symbol}"
    return _Figures(_metric(metric, estimated=entry.estimated), now=now)


def _metric(name: str, *, estimated: bool) -> str:
    return code(name, in_cell=True) + (" estimated" if estimated else "")


def _change(judgement: Judgement, *, estimated: bool) -> str:
    if judgement.change is None and judgement.interval is None:
        return _UNKNOWN
    change, interval = percent(judgement.change, judgement.interval, signs=UNICODE)
    mark = ESTIMATED_MARK if estimated else ""
    return f"{mark}{change.text(UNICODE)} % {interval}".rstrip()
