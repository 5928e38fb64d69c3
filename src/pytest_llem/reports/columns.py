"""The columns of the summary table, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.cells import Cell, Cells
from pytest_llem.reports.chosen import as_asked, figure_column
from pytest_llem.reports.judged import change, verdict
from pytest_llem.reports.quantities import (
    ESTIMATED_MARK,
    Number,
    common_exponent,
    number,
    prefix,
)
from pytest_llem.reports.room import narrowing, turn
from pytest_llem.reports.rows import DENOMINATORS, Denominator, Entry
from pytest_llem.reports.table import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_llem.energy.measured import Measured, Phase, ScopeFigures, TotalFigures
    from pytest_llem.reports.ink import Style
    from pytest_llem.reports.view import View


def summary_columns(entries: Sequence[Entry], view: View) -> list[Column]:
    """All columns that have something to say about *entries*."""
    columns: list[Column] = []
    for name in view.arrangement.columns:
        build = _BUILDERS.get(name)
        columns += build(entries, view) if build else [figure_column(name, entries, view)]
    return as_asked(columns) if view.arrangement.chosen else columns


def _energy(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    """Energy per output token; rows that have none say what theirs is per."""
    values = [_energy_value(entry) for entry in entries]
    exponent = common_exponent(values)
    headed = _headed(entries)
    cells = [
        _energy_cell(entry, value, exponent, headed, view)
        for entry, value in zip(entries, values, strict=True)
    ]
    title = (_energy_title(entries), f"{prefix(exponent, view.signs)}J/{headed.name}")
    yield narrowing("energy", title, cells, values)


def _headed(entries: Sequence[Entry]) -> Denominator:
    """What the column of energies is headed with: the finest that any row has."""
    known = {entry.denominator for entry in entries}
    return next((each for each in DENOMINATORS if each in known), DENOMINATORS[0])


def _energy_value(entry: Entry) -> float | None:
    if entry.denominator is None:
        return None
    value: float = getattr(entry.measured, entry.denominator.metric)
    return value


def _energy_cell(
    entry: Entry, value: float | None, exponent: int, headed: Denominator, view: View
) -> Cell:
    denominator = entry.denominator
    if denominator is None:
        return Cell((view.signs.unknown,))
    uncertainty = getattr(entry.measured, denominator.uncertainty)
    written = number(value, uncertainty, signs=view.signs, exponent=exponent, with_uncertainty=True)
    cell = _number_cell(written, entry, view)
    if denominator == headed:
        return cell
    return Cell((*cell.parts, f" per {denominator.name}"), cell.style, is_aligned=False)


def _energy_title(entries: Sequence[Entry]) -> str:
    methods = {entry.estimated for entry in entries if entry.denominator}
    if methods == {True}:
        return f"{ESTIMATED_MARK} estimated"
    return f"energy ({ESTIMATED_MARK} estimated)" if True in methods else "energy"


def _speed(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    values = [entry.measured.output_tokens_per_s if entry.measured else None for entry in entries]
    if all(value is None for value in values):
        return
    written = [number(value, signs=view.signs) for value in values]
    cells = [Cell((value.whole, value.fraction)) for value in written]
    name = "tokens/s"
    title = ("output", name)
    yield Column(name, title, cells, (True, False), leaves=turn(name), values=values)


def _floor(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    """With ``-v``: how far above an ideal machine the energy per output token lies."""
    floors = [entry.measured.floor if entry.measured else None for entry in entries]
    values = [floor.times_reference if floor else None for floor in floors]
    wanted = view.verbosity > 0 or view.arrangement.chosen
    if not wanted or all(value is None for value in values):
        return
    written = [number(value, signs=view.signs) for value in values]
    cells = [
        Cell((value.whole, value.fraction), _faded(entry))
        for value, entry in zip(written, entries, strict=True)
    ]
    name = "times reference"
    title = ("", f"{view.signs.times} reference")
    yield Column(name, title, cells, (True, False), leaves=turn(name), values=values)


def _phases(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    phases: dict[str, list[Phase | None]] = {
        "prefill": [entry.measured.prefill if entry.measured else None for entry in entries],
        "decode": [entry.measured.decode if entry.measured else None for entry in entries],
    }
    energies = [phase.energy_j for both in phases.values() for phase in both if phase]
    exponent = common_exponent(energies)
    for name, found in phases.items():
        if any(phase is not None and phase.energy_j is not None for phase in found):
            yield _phase_column(name, entries, found, exponent, view)


def _phase_column(
    name: str,
    entries: Sequence[Entry],
    phases: Sequence[Phase | None],
    exponent: int,
    view: View,
) -> Column:
    cells = Cells(len(entries), lambda i: _phase_cell(entries[i], phases[i], exponent, view))
    values = [phase.energy_j if phase else None for phase in phases]
    return narrowing(name, (name, f"{prefix(exponent, view.signs)}J/pass"), cells, values)


def _phase_cell(entry: Entry, phase: Phase | None, exponent: int, view: View) -> Cell:
    if phase is None or phase.energy_j is None:
        return Cell((view.signs.unknown,))
    written = number(
        phase.energy_j,
        phase.energy_uncertainty_j,
        signs=view.signs,
        exponent=exponent,
        with_uncertainty=True,
    )
    return _number_cell(written, entry, view)


def _beside(entries: Sequence[Entry], view: View) -> Iterable[Column]:
    """Energy of other scopes and meters, and the sum over those that can be added.

    It is per what the energy column is per.
    """
    measured = [entry.measured for entry in entries]
    kinds = dict.fromkeys(
        (one.meter, one.scope) for each in measured if each for one in each.beside
    )
    scopes = [scope for _, scope in kinds]
    scopes += {each.scope for each in measured if each} if kinds else ()
    for meter, scope in kinds:
        found = [_of_kind(each, meter, scope) for each in measured]
        title = scope if scopes.count(scope) == 1 else f"{scope} ({meter})"
        yield from _beside_column(title, entries, found, view)
    totals = [each.total if each else None for each in measured]
    yield from _beside_column("total", entries, totals, view)


def _of_kind(measured: Measured | None, meter: str, scope: str) -> ScopeFigures | None:
    beside = measured.beside if measured else ()
    return next((one for one in beside if (one.meter, one.scope) == (meter, scope)), None)


def _beside_column(
    title: str,
    entries: Sequence[Entry],
    found: Sequence[ScopeFigures | TotalFigures | None],
    view: View,
) -> Iterable[Column]:
    if all(one is None or one.energy_j is None for one in found):
        return
    headed = _headed(entries)
    values = [getattr(one, headed.metric, None) for one in found]
    exponent = common_exponent(values)
    cells = Cells(
        len(entries), lambda i: _beside_cell(entries[i], found[i], headed, exponent, view)
    )
    yield narrowing(title, (title, f"{prefix(exponent, view.signs)}J"), cells, values, "beside")


def _beside_cell(
    entry: Entry,
    figures: ScopeFigures | TotalFigures | None,
    headed: Denominator,
    exponent: int,
    view: View,
) -> Cell:
    value: float | None = getattr(figures, headed.metric, None)
    if value is None:
        return Cell((view.signs.unknown,))
    uncertainty = getattr(figures, headed.uncertainty)
    written = number(value, uncertainty, signs=view.signs, exponent=exponent, with_uncertainty=True)
    mark = ESTIMATED_MARK if getattr(figures, "method", None) == "estimated" else ""
    between = f" {view.signs.plus_minus} "
    return Cell((mark + written.whole, written.fraction, between, *written[2:]), _faded(entry))


def _number_cell(written: Number, entry: Entry, view: View) -> Cell:
    whole, fraction, *uncertainty = written
    mark = ESTIMATED_MARK if entry.estimated else ""
    parts = (mark + whole, fraction, f" {view.signs.plus_minus} ", *uncertainty)
    return Cell(parts, _faded(entry))


def _faded(entry: Entry) -> Style:
    """Figures of an invalid measurement are shown, but step back."""
    return "dim" if entry.measured is not None and not entry.measured.valid else ""


_BUILDERS: dict[str, Callable[[Sequence[Entry], View], Iterable[Column]]] = {
    "energy": _energy,
    "beside": _beside,
    "tokens/s": _speed,
    "phases": _phases,
    "floor": _floor,
    "change": change,
    "verdict": verdict,
}
