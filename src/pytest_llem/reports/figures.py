"""Figures of a measurement by their names, as rules and options write them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from pytest_llem.baselines.estimates import beside_of
from pytest_llem.baselines.metrics import BESIDE
from pytest_llem.energy.naming import QUALITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded

_ACRONYMS = frozenset({"ttft", "itl", "tpot"})
_UNIT = re.compile(r"_(j|w|s)$")


def figure(measured: Measured | None, name: str, recorded: Sequence[Recorded] = ()) -> float | None:
    """The figure called *name* (``ttft_s``, ``decode.energy_j``); ``None`` is unknown.

    Of a meter beside the first (``beside.package.rapl.energy_j``) and of a test's own
    (``quality.accuracy``) it is, too.
    """
    if name.startswith(QUALITY):
        return next((one.value for one in recorded if one.metric == name), None)
    found: object = measured
    if name.startswith(BESIDE):
        found, name = beside_of(measured, name), name.rpartition(".")[2]
    for part in name.split("."):
        found = getattr(found, part, None)
    return float(found) if isinstance(found, int | float) else None


def uncertainty_of(
    measured: Measured | None, name: str, recorded: Sequence[Recorded] = ()
) -> float | None:
    """Half-width of its interval; ``None`` where none is stated."""
    if name.startswith(QUALITY):
        return next((one.uncertainty for one in recorded if one.metric == name), None)
    spread = _uncertainty_name(name)
    return figure(measured, spread) if spread else None


@cache
def _uncertainty_name(name: str) -> str:
    """The field that states it; empty where nothing has a unit to state it in."""
    return _UNIT.sub(r"_uncertainty_\1", name) if _UNIT.search(name) else ""


def words_of(name: str) -> str:
    """*name* without its unit, as words: ``latencies.ttft.p99_s`` is ``TTFT p99``."""
    if name.startswith(QUALITY):
        return name.removeprefix(QUALITY)
    short = name.removeprefix("latencies.").removeprefix("traffic.").removeprefix(BESIDE)
    words = _UNIT.sub("", short.removesuffix("_per_s")).replace("_", " ").replace(".", " ").split()
    return " ".join(word.upper() if word in _ACRONYMS else word for word in words)
