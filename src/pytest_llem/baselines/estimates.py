"""Which figures are estimates, so that they are called so wherever they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import BESIDE
from pytest_llem.energy.naming import QUALITY

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured, ScopeFigures

_ENERGY = ("_j", "_w")
_TOTAL = "total."
"""Begins the names of sums over scopes, which no estimate is added to."""


def is_estimate(measured: Measured | None, metric: str) -> bool:
    """Whether *metric* is an energy or a power of *measured* that was estimated."""
    if measured is None or metric.startswith((QUALITY, _TOTAL)) or not metric.endswith(_ENERGY):
        return False
    if not metric.startswith(BESIDE):
        return measured.estimated
    found = beside_of(measured, metric)
    return found is not None and found.method == "estimated"


def beside_of(measured: Measured | None, name: str) -> ScopeFigures | None:
    """The meter that *name* is of; ``None`` if none is, or several are."""
    which = name.removeprefix(BESIDE).rpartition(".")[0]
    found = [
        one
        for one in (measured.beside if measured else ())
        if which in {f"{one.scope}.{one.meter}", one.scope, one.meter}
    ]
    return found[0] if len(found) == 1 else None
