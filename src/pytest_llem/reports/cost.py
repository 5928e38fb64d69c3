"""What runs took, and what that comes to: a table for people, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.columns_of_text import in_columns
from pytest_llem.reports.quantities import ESTIMATED_MARK, number, quantity
from pytest_llem.reports.text import clean, cut_middle, glyphs, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.results.cost import CostReport, ExperimentCost, Money, Taken

HEAD = ("time", "energy", "tokens out")
NUMBERS = {1, 2, 3, 4, 5, 6}
LEAST_NAME = 12
_HOUR_S, _MINUTE_S = 3600, 60
_WORDS = {"engine": "engine", "model": "model", "run": "run", "all": "all experiments"}
_PRICES = ("price_per_kwh", "price_per_gpu_hour", "grid_gco2e_per_kwh", "pue")
DECLARE = (
    "Money and carbon need what only you know. Declare it in [tool.llem.cost] of pyproject.toml "
    '(currency = "EUR", price_per_kwh, price_per_gpu_hour, grid_gco2e_per_kwh, pue) or by options '
    "of llem cost (--currency, --price-per-kwh, …)."
)


def cost_lines(report: CostReport, *, width: int = 80, unicode: bool = True) -> list[str]:
    """The table, its totals, what was declared, and what is not in it."""
    columns = _Columns(report, unicode)
    rows = [columns.head()]
    rows += [columns.row(one.name, one.taken) for one in report.experiments]
    names = len(rows)
    shown = [total for total in report.totals if total.of != "run" or _has_several_runs(report)]
    rows += [columns.row(_total_name(one.of, one.name), one.taken) for one in shown]
    lines = _within(rows, width, unicode)
    return [
        *lines[:names],
        "",
        *lines[names:],
        "",
        *_per_million(report, columns, width, unicode),
        *(line for text in _notes(report) for line in wrapped(text, width)),
    ]


def total_lines(report: CostReport, *, unicode: bool = True) -> Iterator[str]:
    """A line for all experiments together, and one more where some are estimates and some not."""
    columns = _Columns(report, unicode)
    names = columns.head()[1:]
    for total in report.totals:
        if total.of == "all":
            cells = columns.row("", total.taken)[1:]
            told = (f"{name} {cell}" for name, cell in zip(names, cells, strict=True))
            yield f"cost: {', '.join(told)}"


def _per_million(report: CostReport, columns: _Columns, width: int, unicode: bool) -> Iterator[str]:
    """What a million output tokens come to, where something was declared."""
    known = [one for one in report.experiments if one.per_million_output_tokens is not None]
    if not known or all(getattr(report.declared, name) is None for name in _PRICES):
        return
    rows = [("per million output tokens, in windows", "kWh", *columns.head()[4:])]
    rows += [columns.per_million(one) for one in known]
    yield from _within(rows, width, unicode)
    yield ""


class _Columns:
    """Which columns there are, and the cells of a row; prices only where one was declared."""

    def __init__(self, report: CostReport, unicode: bool) -> None:
        self._unicode, self._signs = unicode, glyphs(unicode=unicode)
        declared = report.declared
        self._currency = declared.currency or ""
        self._has_power = declared.price_per_kwh is not None
        self._has_gpu = declared.price_per_gpu_hour is not None
        self._has_grid = declared.grid_gco2e_per_kwh is not None

    def head(self) -> tuple[str, ...]:
        said = (
            (self._has_power, f"power {self._currency}"),
            (self._has_gpu, f"GPU {self._currency}"),
            (self._has_grid, "gCO2e"),
        )
        return ("", *HEAD, *(name for is_declared, name in said if is_declared))

    def row(self, name: str, taken: Taken) -> tuple[str, ...]:
        energy = quantity(
            "energy_j", taken.energy_j, estimated=taken.estimated, unicode=self._unicode
        )
        tokens = self._signs.unknown if taken.output_tokens is None else str(taken.output_tokens)
        return (
            clean(name, unicode=self._unicode),
            self._time(taken.time_s),
            *energy,
            tokens,
            *self._money(taken.money, taken.estimated),
        )

    def per_million(self, experiment: ExperimentCost) -> tuple[str, ...]:
        per = experiment.per_million_output_tokens
        assert per is not None  # noqa: S101 - checked by the caller
        estimated = experiment.taken.estimated
        mark = ESTIMATED_MARK if estimated else ""
        return (
            clean(experiment.name, unicode=self._unicode),
            self._number(per.energy_kwh, mark),
            *self._money(per.money, estimated),
        )

    def _money(self, money: Money, estimated: bool) -> list[str]:
        mark = ESTIMATED_MARK if estimated else ""
        said = (
            (self._has_power, money.energy_price, mark),
            (self._has_gpu, money.gpu_price, ""),
            (self._has_grid, money.carbon_gco2e, mark),
        )
        return [self._number(value, mark) for is_declared, value, mark in said if is_declared]

    def _number(self, value: float | None, mark: str) -> str:
        text = number(value, signs=self._signs).text(self._signs)
        return text if value is None else f"{mark}{text}"

    def _time(self, seconds: float | None) -> str:
        if seconds is None:
            return self._signs.unknown
        if seconds < _MINUTE_S:
            return f"{seconds:.1f} s"
        hours, rest = divmod(round(seconds), _HOUR_S)
        minutes, left = divmod(rest, _MINUTE_S)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"


def _total_name(of: str, name: str) -> str:
    return f"{_WORDS[of]} {name}".strip()


def _has_several_runs(report: CostReport) -> bool:
    return len({one.run_id for one in report.experiments}) > 1


def _within(rows: Sequence[tuple[str, ...]], width: int, unicode: bool) -> list[str]:
    """The rows in columns, with names cut where they would not fit."""
    others = [max(len(row[place]) for row in rows) for place in range(1, len(rows[0]))]
    room = max(width - sum(others) - 2 * len(others), LEAST_NAME)
    ellipsis = glyphs(unicode=unicode).ellipsis
    named = [(cut_middle(row[0], room, ellipsis), *row[1:]) for row in rows]
    return in_columns(named, NUMBERS)


def _notes(report: CostReport) -> Iterator[str]:
    takens = [one.taken for one in report.experiments]
    yield from _declared(report)
    yield (
        "Measured: time from the start of each process to its end, energy of all that was read in "
        "it (loading, warm-up, windows, every repeat), tokens of windows."
    )
    scopes = list(dict.fromkeys(scope for taken in takens for scope in taken.scopes))
    if scopes:
        yield f"Energy is that of: {', '.join(scopes)}. Whatever else the machine used is not in it."
    if any(taken.estimated for taken in takens):
        yield f"{ESTIMATED_MARK} is estimated rather than measured; the two are not added up."
    yield from _missing(report)


def _declared(report: CostReport) -> Iterator[str]:
    declared, currency = report.declared, report.declared.currency
    said = {
        "price_per_kwh": f"{{:g}} {currency} per kWh",
        "price_per_gpu_hour": f"{{:g}} {currency} per GPU-hour",
        "grid_gco2e_per_kwh": "{:g} gCO2e per kWh",
        "pue": "PUE {:g}",
    }
    known = [name for name in _PRICES if getattr(declared, name) is not None]
    for origin in dict.fromkeys(report.origins[name] for name in known):
        parts = [
            said[name].format(getattr(declared, name))
            for name in known
            if report.origins[name] == origin
        ]
        yield f"Declared, not measured ({origin}): {', '.join(parts)}."
    if (
        any(name in known for name in ("price_per_kwh", "grid_gco2e_per_kwh"))
        and "pue" not in known
    ):
        yield "No PUE was declared: what cooling and power supply of the building take is not in it."
    if "price_per_kwh" in known and "price_per_gpu_hour" in known:
        yield "Power and GPU are two ways to pay and are not added up."
    if not known:
        yield DECLARE


def _missing(report: CostReport) -> Iterator[str]:
    """What could not be counted."""
    takens = [one.taken for one in report.experiments]
    by_gpu = report.declared.price_per_gpu_hour is not None
    unknown_gpus = sum(taken.gpu_unknown for taken in takens) if by_gpu else 0
    unread_s = sum(taken.unread_s or 0.0 for taken in takens)
    if round(unread_s, 1):
        yield f"Not in the energy: {unread_s:.1f} s of processes in which no device was read."
    for count, what in (
        (sum(taken.energy_windows_only for taken in takens), "only windows are known"),
        (sum(taken.energy_unknown for taken in takens), "no energy is known"),
        (sum(taken.time_unknown for taken in takens), "no time is known"),
        (unknown_gpus, "it is not known which GPUs they had"),
    ):
        if count:
            yield f"Of {count} process{'' if count == 1 else 'es'} {what}."
    problems = dict.fromkeys(one for taken in takens for one in taken.energy_problems)
    yield from (f"Energy is not known of all that was read: {one}." for one in problems)
    windows = sum(taken.windows_without_tokens for taken in takens)
    if windows:
        yield f"Of {windows} windows no tokens are known."
    if any(taken.shared for taken in takens):
        yield "Devices were shared: energy of what ran beside is in it, and may be counted twice."
