"""Fewer points that look the same: of each stretch its lowest and its highest."""

from __future__ import annotations

import math
import operator
from itertools import chain, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[int, float]
"""Position in the column, and the value there; NaN is a gap."""
DIGITS = 4
SMALLEST, LARGEST = 1e-12, 1e15
"""Beyond these there are no four digits to keep: no device draws so little, or so much."""


def thinned(values: Sequence[float], most: int) -> list[Point]:
    """At most *most* points of *values*, in order, the first and the last among them.

    The column is cut into stretches as even as can be, and of each its lowest and its highest
    value stay. NaN is a reading that gave nothing: a stretch of nothing else stays as one gap,
    so that no line is drawn across it; between values a few are passed over.
    """
    count = len(values)
    if count <= most:
        return list(enumerate(values))
    stretches = max((most - 2) // 2, 1)
    edges = [1 + (count - 2) * number // stretches for number in range(stretches + 1)]
    inner = [_extremes(values[start:end], start) for start, end in pairwise(edges) if start < end]
    return [(0, values[0]), *chain.from_iterable(inner), (count - 1, values[-1])]


def _extremes(part: Sequence[float], start: int) -> Sequence[Point]:
    if math.isnan(sum(part)):  # finite values never add up to NaN
        return _among_gaps(part, start)
    low, high = min(part), max(part)
    first, second = part.index(low), part.index(high)
    if first == second:
        return ((start + first, low),)
    lowest, highest = (start + first, low), (start + second, high)
    return (lowest, highest) if first < second else (highest, lowest)


def _among_gaps(part: Sequence[float], start: int) -> Sequence[Point]:
    known = [(value, place) for place, value in enumerate(part, start) if not math.isnan(value)]
    if not known:
        return ((start, math.nan),)
    lowest, highest = min(known), max(known, key=operator.itemgetter(0))
    return [
        (place, value) for value, place in sorted({lowest, highest}, key=operator.itemgetter(1))
    ]


def evenly(count: int, most: int) -> range | list[int]:
    """At most *most* of the positions from 0 to *count*, evenly spread, with the first and last."""
    if count <= most:
        return range(count)
    if most <= 1:
        return [0][:most]
    return [position * (count - 1) // (most - 1) for position in range(most)]


def unit_for(values: Sequence[float]) -> float:
    """What the last of four digits of the largest of *values* is worth."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not SMALLEST < largest < LARGEST:
        return 1.0
    return float(10.0 ** (math.floor(math.log10(largest)) - DIGITS + 1))


def steps(values: Sequence[float | None], unit: float) -> tuple[int | None, ...]:
    """*values* in whole multiples of *unit*, each as its step from the known one before it."""
    found: list[int | None] = []
    before = 0
    for value in values:
        if value is None or not math.isfinite(value):
            found.append(None)
            continue
        now = round(value / unit)
        found.append(now - before)
        before = now
    return tuple(found)


def known_steps(values: Sequence[int]) -> tuple[int, ...]:
    """The same of whole numbers, all of which are known."""
    return tuple(map(operator.sub, values, (0, *values)))
