"""Numbers rounded to the digits that their uncertainty warrants.

A value with an uncertainty is rounded to the place of the second significant
digit of that uncertainty (GUM, JCGM 100:2008, 7.2.6). One without is shown with
three significant digits, whole numbers in full.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from functools import cache

from pytest_llem.reports import usual
from pytest_llem.reports.usual import MOST_DIGITS, PLAIN_DIGITS

UNCERTAINTY_DIGITS = 2
MOST_WHOLE_DIGITS = 8
MOST_DECIMALS = 7

_DECIMAL = Context(prec=60, traps=[InvalidOperation])  # a test may have changed the thread's own


def rounded(value: float, spread: float | None, exponent: int) -> tuple[str, str]:
    """A finite *value* and its uncertainty, in units of ten to the *exponent*.

    The uncertainty is above 0; its text is empty where there is none.
    """
    if spread is None:
        return plainly(value, exponent), ""
    return _usually(value, spread, exponent) or _exactly(value, spread, exponent)


def plainly(value: float, exponent: int) -> str:
    """A finite *value* without an uncertainty, in units of ten to the *exponent*."""
    text = usual.plain(value / 10.0**exponent)
    if text is not None:
        return text
    scaled = _scaled(value, exponent)
    place = min(_place_of_digit(scaled, PLAIN_DIGITS), 0)
    return _written(scaled, max(place, _least_place(scaled)))


def place_within(low: float, high: float, exponent: int) -> int | None:
    """The power of ten of the last digit that half of an interval warrants; ``None`` if empty."""
    decimals = usual.decimals_for(abs(high / 2 - low / 2) / 10.0**exponent)
    if decimals is not None:
        return -decimals
    width = _DECIMAL.subtract(_scaled(high, exponent), _scaled(low, exponent)).copy_abs()
    half_width = _DECIMAL.divide(width, Decimal(2))
    return _place_of_digit(half_width, UNCERTAINTY_DIGITS) if half_width else None


def rounded_at(value: float, place: int, exponent: int) -> str:
    """A finite *value* in units of ten to the *exponent*, down to a power of ten.

    It has no more digits than a value may have.
    """
    text = usual.fixed(value / 10.0**exponent, -place)
    if text is not None:
        return text
    scaled = _scaled(value, exponent)
    return _written(scaled, max(place, _least_place(scaled)))


def _usually(value: float, spread: float, exponent: int) -> tuple[str, str] | None:
    scale = 10.0**exponent
    decimals = usual.decimals_for(spread / scale)
    if decimals is None:
        return None
    shown = usual.fixed(value / scale, decimals)
    about = usual.fixed(spread / scale, decimals)
    return None if shown is None or about is None else (shown, about)


def _exactly(value: float, spread: float, exponent: int) -> tuple[str, str]:
    scaled, about = _scaled(value, exponent), _scaled(spread, exponent)
    place = _place_of_digit(about, UNCERTAINTY_DIGITS)
    return _written(scaled, max(place, _least_place(scaled))), _written(about, place)


def _scaled(value: float, exponent: int) -> Decimal:
    return Decimal(value).scaleb(-exponent, _DECIMAL)


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


@cache
def _digit(place: int) -> Decimal:
    """One at a power of ten; there are some 650 for floats."""
    return Decimal((0, (1,), place))


def _written(value: Decimal, place: int) -> str:
    """*value* rounded at *place*; very long ones as ``1.2e9``."""
    found = value.quantize(_digit(place), context=_DECIMAL)
    if not found:
        return f"{0:.{-place}f}" if -MOST_DECIMALS <= place < 0 else "0"
    if place >= -MOST_DECIMALS and found.adjusted() < MOST_WHOLE_DIGITS:
        return f"{found:f}"
    return f"{found:.{found.adjusted() - place}e}".replace("e+", "e")
