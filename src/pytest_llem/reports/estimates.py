"""Which figures are estimates, so that they are called so wherever they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import BESIDE
from pytest_llem.energy.naming import QUALITY
from pytest_llem.reports.figures import beside_of
from pytest_llem.reports.quantities import unit_of

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured


def is_estimate(measured: Measured | None, metric: str) -> bool:
    """Whether *metric* is an energy or a power of *measured* that was estimated."""
    if measured is None or metric.startswith(QUALITY) or unit_of(metric).symbol not in {"J", "W"}:
        return False
    if not metric.startswith(BESIDE):
        return measured.estimated
    found = beside_of(measured, metric)
    return found is not None and found.method == "estimated"
