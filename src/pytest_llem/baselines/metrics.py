"""What can be compared: the metrics of a measurement, with unit and direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_llem.energy.measured import ratio
from pytest_llem.errors import ConfigError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.energy.measured import Measured, WindowSample

Unit = Literal["J", "J/token", "J/request", "W", "s", "tokens/s"]
PhaseName = Literal["whole", "prefill", "decode"]

QUANTITIES: dict[str, Unit] = {
    "energy_per_output_token_j": "J/token",
    "energy_per_request_j": "J/request",
    "energy_j": "J",
    "power_w": "W",
    "duration_s": "s",
    "output_tokens_per_s": "tokens/s",
    "ttft_s": "s",
    "itl_s": "s",
}
"""Fields of ``Figures`` that can be gated, with their units. Token and request counts
are not among them: they are the work, and work has to be equal before anything else
is compared."""
HIGHER_IS_BETTER = frozenset({"output_tokens_per_s"})
HEADLINE = "energy_per_output_token_j"
EXPLAINING = ("sm_clock_mhz", "temperature_c")
"""Kept with the samples because they explain a change; never gated."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of the whole workload or of a phase."""

    phase: PhaseName
    quantity: str

    @property
    def name(self) -> str:
        """As it is written: ``ttft_s``, ``decode.energy_per_output_token_j``."""
        return self.quantity if self.phase == "whole" else f"{self.phase}.{self.quantity}"

    @property
    def unit(self) -> Unit:
        return QUANTITIES[self.quantity]

    @property
    def higher_is_better(self) -> bool:
        return self.quantity in HIGHER_IS_BETTER


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(phase, quantity)
        for phase in ("whole", "prefill", "decode")
        for quantity in QUANTITIES
    )
}


def metric_named(name: str) -> Metric:
    """The metric called *name*.

    Raises:
        ConfigError: there is none; the message names the nearest one.
    """
    if name not in METRICS:
        known = list(QUANTITIES) if "." not in name else list(METRICS)
        raise ConfigError(
            f"{name!r} is not a metric that can be gated. {suggest(name, known)} "
            "A phase is written before it: decode.energy_per_output_token_j."
        )
    return METRICS[name]


def metric_values(measured: Measured, metric: Metric) -> tuple[float, ...]:
    """Values of *metric*, one per valid window; those of one pass where that matters.

    The decode phase, and a prefill phase without windows of its own, are inferred
    once per process and have one value. Unknown values are left out, so that an
    empty tuple says that the metric is not known at all.
    """
    if metric.phase == "whole" or (metric.phase == "prefill" and measured.samples("prefill")):
        return per_window(measured.samples(metric.phase), metric.quantity)
    phase = measured.decode if metric.phase == "decode" else measured.prefill
    value = getattr(phase, metric.quantity)
    return () if value is None else (float(value),)


def per_window(samples: Sequence[WindowSample], quantity: str) -> tuple[float, ...]:
    """Known values of *quantity* over the valid windows, in order."""
    values = (_value(sample, quantity) for sample in samples if sample.valid)
    return tuple(float(value) for value in values if value is not None)


def standard_errors(measured: Measured) -> dict[str, float]:
    """Relative standard errors of the energies that are inferred once per process, by phase.

    Decode is a difference of measurements, which can make it noisier than any window;
    its stated 95 % half-width carries that. A phase that states none is left out.
    """
    phases = {"decode": measured.decode}
    if not measured.samples("prefill"):
        phases["prefill"] = measured.prefill
    errors = {
        name: ratio(phase.energy_uncertainty_j, phase.energy_j) for name, phase in phases.items()
    }
    return {name: abs(error) / NORMAL_95 for name, error in errors.items() if error is not None}


NORMAL_95 = 1.959964
"""Half-width of a 95 % interval of a normal distribution, in standard errors."""


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
