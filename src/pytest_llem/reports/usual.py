"""Numbers of usual size, rounded as decimals round them in a fraction of the time.

A scaled float is off by an error far below any digit that is shown. Where that error might decide
how a number is rounded, or where the number is of unusual size, there is no answer here (``None``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

PLAIN_DIGITS = 3
"""Significant digits of a value without an uncertainty; whole ones are all written."""
MOST_DIGITS = 7
"""Significant digits of a value whatever its uncertainty; more is noise in a table."""

_ABOVE, _BELOW = 1 + 1e-9, 1 - 1e-9
"""Further than the error of a scaling: where both are rounded alike, so is the value between."""
_LEAST = 0.01
_STEPS = tuple(10.0**power * (1 - 0.5 / 10**PLAIN_DIGITS) for power in range(-1, PLAIN_DIGITS))
"""From each on, a value with three digits has one decimal less, since it is rounded up."""
_FIXED = tuple(f".{decimals}f" for decimals in range(MOST_DIGITS))
_TENS = tuple(10.0**decimals for decimals in range(MOST_DIGITS))
_CLOSE = 10.0**MOST_DIGITS * 1e-13
"""Nearer to halfway between two written numbers, the error of a scaling might decide."""
_TOO_LARGE = tuple(10.0 ** (MOST_DIGITS - decimals) * _BELOW for decimals in range(MOST_DIGITS))
"""From here on a number has no room for so many decimals."""
_BEFORE_CARRY = tuple(99.5 / 10.0**decimals for decimals in range(MOST_DIGITS, -1, -1))
"""The largest numbers that two digits show with so many decimals, from the most to none."""


def plain(value: float) -> str | None:
    """*value* with three significant digits, or all that are whole."""
    size = abs(value)
    if not _LEAST <= size < _TOO_LARGE[0]:
        return None
    decimals = len(_STEPS) - bisect_right(_STEPS, size)
    return None if _is_close(value, decimals) else format(value, _FIXED[decimals])


def decimals_for(spread: float) -> int | None:
    """How many decimals show two significant digits of an uncertainty."""
    place = bisect_left(_BEFORE_CARRY, spread * _ABOVE)
    is_sure = 0 < place <= MOST_DIGITS and spread * _BELOW > _BEFORE_CARRY[place - 1]
    return MOST_DIGITS - place if is_sure else None


def fixed(value: float, decimals: int) -> str | None:
    """*value* with so many decimals."""
    if not 0 <= decimals < MOST_DIGITS or abs(value) >= _TOO_LARGE[decimals]:
        return None
    if _is_close(value, decimals):
        return None
    text = format(value, _FIXED[decimals])
    return None if value <= 0 and not float(text) else text


def _is_close(value: float, decimals: int) -> bool:
    """Whether *value* lies halfway between two numbers of so many decimals, or all but."""
    return abs(value * _TENS[decimals] % 1 - 0.5) < _CLOSE
