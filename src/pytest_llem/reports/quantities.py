"""Numbers with units, written with as many digits as their uncertainty warrants.

A value with an uncertainty is rounded to the place of the second significant
digit of that uncertainty (GUM, JCGM 100:2008, 7.2.6). One without is shown with
three significant digits, whole numbers in full.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.text import Glyphs, glyphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNCERTAINTY_DIGITS = 2
PLAIN_DIGITS = 3
MOST_DIGITS = 7
"""Significant digits of a value whatever its uncertainty; more is noise in a table."""
MOST_WHOLE_DIGITS = 8
MOST_DECIMALS = 7
PERCENT_DECIMALS = 2
ESTIMATED_MARK = "~"

_USUAL = (0.01, 1000.0)
_ABOVE, _BELOW = 1 + 1e-9, 1 - 1e-9
"""Further than the error of a scaling: where both are rounded alike, so is the value between."""
_DECIMAL = Context(prec=60, traps=[InvalidOperation])  # a test may have changed the thread's own
_MICRO = -6
_SYMBOLS = {-12: "p", -9: "n", _MICRO: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
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
    median = Decimal(sizes[(len(sizes) - 1) // 2]).adjusted()
    return min(max(median // 3 * 3, min(_SYMBOLS)), max(_SYMBOLS))


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
    scaled = Decimal(value).scaleb(-exponent, _DECIMAL)
    spread = _spread(uncertainty, exponent)
    shown = Number(*_written(scaled, _place(scaled, spread), signs))
    if not with_uncertainty:
        return shown
    return Number(*shown[:2], *_uncertainty(uncertainty, spread, signs))


def plain_numbers(values: Sequence[float | None], *, signs: Glyphs, exponent: int = 0) -> list[str]:
    """Each of *values* as :func:`number` writes it without an uncertainty; for long tables."""
    scale = 10.0**exponent
    return [
        signs.unknown
        if value is None
        else _usual(value / scale, signs)
        or number(value, signs=signs, exponent=exponent).text(signs)
        for value in values
    ]


def _usual(value: float, signs: Glyphs) -> str:
    """What decimals would give for most values, in a fraction of the time.

    Empty where the value is of unusual size, or so near a tie that the error of its scaling may
    decide how it is rounded.
    """
    if not _USUAL[0] <= abs(value) < _USUAL[1]:
        return ""
    text = f"{value * _ABOVE:#.3g}"
    if text != f"{value * _BELOW:#.3g}" or "e" in text:
        return ""
    return text.rstrip(".").replace("-", signs.minus)


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
    low, high = (_at_place(bound, place, signs) for bound in interval)
    return Change(value, f"[{low.text(signs)}, {high.text(signs)}]")


def _percent_place(interval: tuple[float, float] | None) -> int:
    if interval is None or not all(math.isfinite(bound) for bound in interval):
        return -1
    low, high = (Decimal(bound).scaleb(2, _DECIMAL) for bound in interval)
    half_width = _DECIMAL.divide(_DECIMAL.subtract(high, low).copy_abs(), Decimal(2))
    if not half_width:
        return -1
    return max(_place_of_digit(half_width, UNCERTAINTY_DIGITS), -PERCENT_DECIMALS)


def _at_place(change: float, place: int, signs: Glyphs) -> Number:
    """A relative change in percent, with its sign unless it is shown as zero."""
    if not math.isfinite(change):
        return number(change, signs=signs)
    scaled = Decimal(change).scaleb(2, _DECIMAL)
    whole, fraction = _written(scaled, max(place, _least_place(scaled)), signs)
    is_positive = scaled > 0 and any(digit in "123456789" for digit in whole + fraction)
    return Number("+" + whole if is_positive else whole, fraction)


def _spread(uncertainty: float | None, exponent: int) -> Decimal | None:
    """The uncertainty in the shown unit, or ``None`` where it says nothing about digits."""
    if not uncertainty or not math.isfinite(uncertainty):
        return None
    return Decimal(uncertainty).copy_abs().scaleb(-exponent, _DECIMAL)


def _place(value: Decimal, spread: Decimal | None) -> int:
    """The power of ten of the last digit shown."""
    if spread is None:
        place = min(_place_of_digit(value, PLAIN_DIGITS), 0)
    else:
        place = _place_of_digit(spread, UNCERTAINTY_DIGITS)
    return max(place, _least_place(value))


def _least_place(value: Decimal) -> int:
    """The place beyond which digits are not shown; whole ones are, unless there are too many."""
    place = value.adjusted() - MOST_DIGITS + 1
    return min(place, 0) if value.adjusted() < MOST_WHOLE_DIGITS else place


def _place_of_digit(value: Decimal, digits: int) -> int:
    """The power of ten of the last of *digits* significant digits, once rounded to them."""
    place = value.adjusted() - digits + 1
    return place + (value.copy_abs() > _last_before_carry(place, digits))


@cache
def _last_before_carry(place: int, digits: int) -> Decimal:
    """The largest number that has *digits* digits down to *place* also when rounded: 99.5."""
    return Decimal((0, (*[9] * digits, 5), place - 1))


def _rounded(value: Decimal, place: int) -> Decimal:
    return value.quantize(_digit(place), context=_DECIMAL)


@cache
def _digit(place: int) -> Decimal:
    """One at a power of ten; there are some 650 for floats."""
    return Decimal((0, (1,), place))


def _written(value: Decimal, place: int, signs: Glyphs) -> tuple[str, str]:
    """*value* rounded at *place*, split at the decimal point; very long ones as ``1.2e9``."""
    rounded = _rounded(value, place)
    if not rounded:
        text = f"{0:.{-place}f}" if -MOST_DECIMALS <= place < 0 else "0"
    elif place >= -MOST_DECIMALS and rounded.adjusted() < MOST_WHOLE_DIGITS:
        text = f"{rounded:f}"
    else:
        text = f"{rounded:.{rounded.adjusted() - place}e}".replace("e+", "e")
    whole, point, fraction = text.replace("-", signs.minus).partition(".")
    return whole, point + fraction


def _uncertainty(
    uncertainty: float | None, spread: Decimal | None, signs: Glyphs
) -> tuple[str, str]:
    if spread is not None:
        return _written(spread, _place_of_digit(spread, UNCERTAINTY_DIGITS), signs)
    if uncertainty is None or math.isnan(uncertainty):
        return signs.unknown, ""
    return ("0" if uncertainty == 0 else signs.infinity), ""
