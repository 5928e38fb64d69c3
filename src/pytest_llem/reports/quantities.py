"""Numbers with units, written with as many digits as their uncertainty warrants."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.rounding import place_within, plainly, rounded, rounded_at
from pytest_llem.reports.text import Glyphs, glyphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PERCENT_DECIMALS = 2
ESTIMATED_MARK = "~"

_PERCENT = -2
"""The power of ten that percent are counted in."""
_MICRO = -6
_SYMBOLS = {-12: "p", -9: "n", _MICRO: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_EXPONENTS = tuple(sorted(_SYMBOLS))
_PREFIXED = tuple(10.0**exponent for exponent in _EXPONENTS)
_UNITS = (
    ("_per_s", "/s", False),
    ("_bytes", "B", True),
    ("_mhz", "MHz", False),
    ("_j", "J", True),
    ("_s", "s", True),
    ("_w", "W", True),
    ("_c", "°C", False),
)


class Unit(NamedTuple):
    """A unit, and whether it takes SI prefixes."""

    symbol: str
    scaled: bool


class Number(NamedTuple):
    """A written number in the parts that a column aligns.

    ``whole`` is what stands before the decimal point, ``fraction`` the point and
    what follows it; the uncertainty's parts are empty where none is to be shown.
    """

    whole: str
    fraction: str
    uncertainty_whole: str = ""
    uncertainty_fraction: str = ""

    def text(self, signs: Glyphs) -> str:
        """The number on its own."""
        value = self.whole + self.fraction
        if not self.uncertainty_whole:
            return value
        return f"{value} {signs.plus_minus} {self.uncertainty_whole}{self.uncertainty_fraction}"


@cache
def unit_of(metric: str) -> Unit:
    """The unit that the metric's name ends with; empty for a plain number."""
    for suffix, symbol, scaled in _UNITS:
        if metric.endswith(suffix):
            return Unit(symbol, scaled)
    return Unit("", scaled=False)


def common_exponent(values: Iterable[float | None]) -> int:
    """The power of ten of the SI prefix that suits *values* together.

    It is chosen for their median, so that a few outliers do not decide it; 0
    where nothing but zeros and unknowns is known.
    """
    sizes = sorted(abs(value) for value in values if value and math.isfinite(value))
    if not sizes:
        return 0
    place = bisect_right(_PREFIXED, sizes[(len(sizes) - 1) // 2])
    return _EXPONENTS[max(place - 1, 0)]


def prefix(exponent: int, signs: Glyphs) -> str:
    """The SI prefix for a power of ten."""
    return signs.micro if exponent == _MICRO else _SYMBOLS[exponent]


def number(
    value: float | None,
    uncertainty: float | None = None,
    *,
    signs: Glyphs,
    exponent: int = 0,
    with_uncertainty: bool = False,
) -> Number:
    """*value* in units of ten to the *exponent*.

    Args:
        value: ``None`` and NaN are unknown.
        uncertainty: Half-width of its interval in the same unit; it decides the
            digits. ``None`` is unknown.
        signs: The terminal's signs.
        exponent: Power of ten of the unit's prefix.
        with_uncertainty: Whether the uncertainty is written too; an unknown one
            then shows as unknown.
    """
    if value is None or math.isnan(value):
        return Number(signs.unknown, "")
    if math.isinf(value):
        return Number((signs.minus if value < 0 else "") + signs.infinity, "")
    spread = abs(uncertainty) if uncertainty and math.isfinite(uncertainty) else None
    shown, about = rounded(value, spread, exponent)
    whole, fraction = _parts(shown, signs)
    if not with_uncertainty:
        return Number(whole, fraction)
    return Number(whole, fraction, *_parts(about or _no_spread(uncertainty, signs), signs))


def _parts(text: str, signs: Glyphs) -> tuple[str, str]:
    """What stands before the decimal point, and the rest."""
    if "-" in text:
        text = text.replace("-", signs.minus)
    point = text.find(".")
    return (text, "") if point < 0 else (text[:point], text[point:])


def _no_spread(uncertainty: float | None, signs: Glyphs) -> str:
    """An uncertainty that says nothing about digits."""
    if uncertainty is None or math.isnan(uncertainty):
        return signs.unknown
    return "0" if uncertainty == 0 else signs.infinity


def plain_numbers(values: Sequence[float | None], *, signs: Glyphs, exponent: int = 0) -> list[str]:
    """Each of *values* as :func:`number` writes it without an uncertainty; for long tables."""
    return [
        number(value, signs=signs, exponent=exponent).text(signs)
        if value is None or not math.isfinite(value)
        else plainly(value, exponent).replace("-", signs.minus)
        for value in values
    ]


def quantity(metric: str, *values: float | None, estimated: bool, unicode: bool) -> list[str]:
    """*values* of one metric, each with the unit in its name and one prefix for all.

    An estimated one starts with ``~``; an unknown one is a dash.
    """
    signs = glyphs(unicode=unicode)
    unit = unit_of(metric)
    exponent = common_exponent(values) if unit.scaled else 0
    symbol = prefix(exponent, signs) + (unit.symbol if unicode else unit.symbol.replace("°", ""))
    mark = ESTIMATED_MARK if estimated else ""
    return [
        signs.unknown
        if value is None
        else f"{mark}{number(value, signs=signs, exponent=exponent).text(signs)} {symbol}".rstrip()
        for value in values
    ]


class Change(NamedTuple):
    """A relative change in percent, and its interval; both without the percent sign."""

    number: Number
    interval: str


def percent(change: float | None, interval: tuple[float, float] | None, *, signs: Glyphs) -> Change:
    """A relative change (0.05 is ``+5.0``) with digits as its interval warrants.

    The interval is written in brackets, or empty where it is unknown.
    """
    place = _percent_place(interval)
    value = Number(signs.unknown, "") if change is None else _at_place(change, place, signs)
    if interval is None:
        return Change(value, "")
    low, high = interval
    return Change(value, f"[{_bound_at(low, place, signs)}, {_bound_at(high, place, signs)}]")


def _percent_place(interval: tuple[float, float] | None) -> int:
    if interval is None or not all(map(math.isfinite, interval)):
        return -1
    place = place_within(*interval, _PERCENT)
    return -1 if place is None else max(place, -PERCENT_DECIMALS)


def _bound_at(change: float, place: int, signs: Glyphs) -> str:
    return _signed_at(change, place, signs) or number(change, signs=signs).whole


def _at_place(change: float, place: int, signs: Glyphs) -> Number:
    text = _signed_at(change, place, signs)
    return number(change, signs=signs) if text is None else Number(*_parts(text, signs))


def _signed_at(change: float, place: int, signs: Glyphs) -> str | None:
    """A finite change in percent, with its sign unless it is shown as zero."""
    if not math.isfinite(change):
        return None
    text = rounded_at(change, place, _PERCENT)
    return f"+{text}" if change > 0 and float(text) else text.replace("-", signs.minus)
