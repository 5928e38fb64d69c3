"""What a measurement says of each metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import (
    BESIDE,
    BESIDE_QUANTITIES,
    OF_THE_WHOLE,
    beside_name,
)
from pytest_llem.energy.measured import ratio
from pytest_llem.energy.student import NORMAL_95

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.baselines.metrics import Metric
    from pytest_llem.energy.measured import Figures, Measured, WindowSample


def metric_values(measured: Measured, metric: Metric) -> tuple[float, ...]:
    """Values of *metric*, one per valid window; those of one pass where that matters.

    The decode phase, and a prefill phase without windows of its own, are inferred
    once per process and have one value. Unknown values are left out, so that an
    empty tuple says that the metric is not known at all.
    """
    if metric.quantity in OF_THE_WHOLE:
        return _at(measured, metric.quantity)
    if metric.phase == "whole" or (metric.phase == "prefill" and measured.samples("prefill")):
        return per_window(measured.samples(metric.phase), metric.quantity)
    phase = measured.decode if metric.phase == "decode" else measured.prefill
    value = getattr(phase, metric.quantity)
    return () if value is None else (float(value),)


def beside_values(measured: Measured) -> Iterator[tuple[str, float]]:
    """What meters beside the first read, by metric; one value a process."""
    for one in measured.beside:
        for quantity in BESIDE_QUANTITIES:
            value = getattr(one, quantity)
            if value is not None and math.isfinite(value):
                yield beside_name(one.scope, one.meter, quantity), float(value)


def _at(measured: Measured, path: str) -> tuple[float, ...]:
    """The figure at *path*; empty if it, or anything on the way, is unknown."""
    value: object = measured
    for part in path.split("."):
        value = getattr(value, part, None)
    return (float(value),) if isinstance(value, int | float) else ()


def per_window(samples: Sequence[WindowSample], quantity: str) -> tuple[float, ...]:
    """Known values of *quantity* over the valid windows, in order; what is beyond floats is not."""
    values = (_value(sample, quantity) for sample in samples if sample.valid)
    return tuple(float(value) for value in values if value is not None and math.isfinite(value))


def standard_errors(measured: Measured) -> dict[str, float]:
    """Relative standard errors of what is inferred once per process, by phase, meter or metric.

    Decode is a difference of measurements, which can make it noisier than any window, and so is
    net energy; their stated 95 % half-widths carry that. What states none is left out.
    """
    phases: dict[str, Figures] = {"decode": measured.decode}
    if not measured.samples("prefill"):
        phases["prefill"] = measured.prefill
    if measured.total is not None:
        phases["total"] = measured.total
    phases |= {f"{BESIDE}{one.scope}.{one.meter}": one for one in measured.beside}
    errors = {
        name: ratio(phase.energy_uncertainty_j, phase.energy_j) for name, phase in phases.items()
    }
    errors["net_energy_j"] = ratio(measured.net_energy_uncertainty_j, measured.net_energy_j)
    if measured.idle is not None:
        errors["idle.power_w"] = ratio(measured.idle.power_uncertainty_w, measured.idle.power_w)
    return {
        name: abs(error) / NORMAL_95
        for name, error in errors.items()
        if error is not None and math.isfinite(error)
    }


def _value(sample: WindowSample, quantity: str) -> float | None:
    if quantity in _DERIVED:
        return _DERIVED[quantity](sample)
    value: float | None = getattr(sample, quantity)
    return value


_DERIVED: dict[str, Callable[[WindowSample], float | None]] = {
    "energy_j": lambda sample: ratio(sample.energy_j, sample.passes),
    "duration_s": lambda sample: ratio(sample.duration_s, sample.passes),
    "energy_per_request_j": lambda sample: ratio(sample.energy_j, sample.requests),
    "output_tokens_per_s": lambda sample: ratio(sample.output_tokens, sample.duration_s),
}
