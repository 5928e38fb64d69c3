"""Figures of a measurement by their names, as rules and options write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured

_UNIT = re.compile(r"_(j|w|s)$")


def figure(measured: Measured | None, name: str) -> float | None:
    """The figure called *name* (``ttft_s``, ``decode.energy_j``); ``None`` is unknown."""
    found: object = measured
    for part in name.split("."):
        found = getattr(found, part, None)
    return float(found) if isinstance(found, int | float) else None


def uncertainty_of(measured: Measured | None, name: str) -> float | None:
    """Half-width of its interval; ``None`` where none is stated."""
    return figure(measured, _UNIT.sub(r"_uncertainty_\1", name)) if _UNIT.search(name) else None


def words_of(name: str) -> str:
    """*name* without its unit, as words: ``latencies.ttft.p99_s`` is ``ttft p99``."""
    short = name.removeprefix("latencies.").removeprefix("traffic.")
    return _UNIT.sub("", short.removesuffix("_per_s")).replace("_", " ").replace(".", " ")
