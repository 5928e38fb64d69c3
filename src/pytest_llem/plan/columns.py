"""Points as a table of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.plan.memory.fit import gib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_llem.plan.memory.fit import Fit
    from pytest_llem.plan.outlook import Forecast
    from pytest_llem.plan.point import Point

UNKNOWN = "?"
GAP = "  "
LEAST_NAME = 16


@dataclass(frozen=True, slots=True)
class Looked:
    """A point with what is known of it."""

    point: Point
    baseline: str | None = None
    fit: Fit | None = None
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its head, what a point has in it, and from which width of the terminal on."""

    head: str
    text: Callable[[Looked], str]
    from_width: int = 0


def _of_fit(pick: Callable[[Fit], float | None]) -> Callable[[Looked], str]:
    def text(one: Looked) -> str:
        value = None if one.fit is None or one.fit.need is None else pick(one.fit)
        return UNKNOWN if value is None else gib(value)

    return text


def _tokens(one: Looked) -> str:
    found = None if one.fit is None else one.fit.max_tokens
    return UNKNOWN if found is None else f"{found:,}"


def _verdict(one: Looked) -> str:
    return UNKNOWN if one.fit is None else one.fit.verdict.replace("unknown", UNKNOWN)


def _part(name: str) -> Callable[[Looked], str]:
    return _of_fit(lambda fit: getattr(fit.need, name))


def _gpu_hours(one: Looked) -> str:
    hours = None if one.forecast is None else one.forecast.gpu_hours
    return UNKNOWN if hours is None else f"{hours:.3g}"


COLUMNS = (
    Column("baseline", lambda one: one.baseline or UNKNOWN),
    Column("memory", _part("total_bytes")),
    Column("fit", _verdict),
    Column("weights", _part("weights_bytes"), 110),
    Column("cache", _part("cache_bytes"), 110),
    Column("room for tokens", _tokens, 140),
    Column("time", lambda one: seconds(one.forecast.wall_s if one.forecast else None)),
    Column("energy", lambda one: joules(one.forecast.energy_j if one.forecast else None)),
    Column("GPU hours", _gpu_hours, 110),
    Column("from", lambda one: one.forecast.origin if one.forecast else UNKNOWN, 140),
)


def table(points: Sequence[Looked], width: int, indent: str) -> list[str]:
    """Lines of a table, as wide as *width* except for a name that is longer than its column.

    Columns in which nothing is known of any point are left out.
    """
    shown = [column for column in COLUMNS if column.from_width <= width]
    cells = {column.head: [column.text(one) for one in points] for column in shown}
    cells = {head: texts for head, texts in cells.items() if set(texts) != {UNKNOWN}}
    if not cells:
        return []
    sizes = {head: max(map(len, [head, *texts])) for head, texts in cells.items()}
    names = [one.point.label or one.point.group.rpartition("::")[2] for one in points]
    rest = width - len(indent) - sum(len(GAP) + size for size in sizes.values())
    column = min(max(map(len, ["point", *names])), max(rest, LEAST_NAME))
    lines = [_row("point", list(cells), sizes, column, indent)]
    for index, name in enumerate(names):
        texts = [texts[index] for texts in cells.values()]
        lines += _rows(name, texts, sizes, column, indent)
    return lines


def _rows(
    name: str, texts: list[str], sizes: Mapping[str, int], column: int, indent: str
) -> list[str]:
    if len(name) <= column:
        return [_row(name, texts, sizes, column, indent)]
    return [f"{indent}{name}", _row("", texts, sizes, column, indent)]


def _row(
    name: str, texts: Iterable[str], sizes: Mapping[str, int], column: int, indent: str
) -> str:
    padded = [text.ljust(size) for text, size in zip(texts, sizes.values(), strict=True)]
    return f"{indent}{name.ljust(column)}{GAP}{GAP.join(padded)}".rstrip()


def seconds(value: float | None) -> str:
    """A time as people say it: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None:
        return UNKNOWN
    if value < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004 - digits
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def joules(value: float | None) -> str:
    """An energy as people say it: ``850 J``, ``3.1 kJ``, ``0.4 kWh``."""
    if value is None:
        return UNKNOWN
    if value >= 3.6e5:  # noqa: PLR2004 - a tenth of a kilowatt-hour
        return f"{value / 3.6e6:,.3g} kWh"
    return f"{value / 1e3:.3g} kJ" if value >= 1e3 else f"{value:.3g} J"  # noqa: PLR2004
