"""What a simulated load really used, beside what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.window import estimate_window

if TYPE_CHECKING:
    from instruments.curves import Curve
    from pytest_llem.energy.sampling.trace import Trace


def holds_truth(trace: Trace, load: Curve, start_ns: int, end_ns: int) -> bool:
    """Whether the interval that is stated of a window's energy holds the true one."""
    told = estimate_window(trace, start_ns, end_ns)
    assert told.energy_j is not None
    assert told.uncertainty_j is not None
    return abs(told.energy_j - load.energy_j(start_ns, end_ns)) <= told.uncertainty_j
