"""Times as the double's script spells them: a whole number and its unit."""

from __future__ import annotations

_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1))


def spell_ns(ns: int) -> str:
    """The same time in the largest unit that leaves a whole number, such as ``100ms``."""
    unit, size = next((unit, size) for unit, size in _UNITS if ns % size == 0)
    return f"{ns // size}{unit}"
