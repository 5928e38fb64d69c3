"""What was inferred: the figures of one measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.latency import Latencies
from pytest_llem.energy.marks import Idle, WarmUp, WindowPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

PhaseMethod = Literal["measured", "regressed", "sliced", "unresolved"]


class Inferred(BaseModel):
    """Immutable; unknown keys are refused; ``None`` is unknown."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class WindowSample(Inferred):
    """One window as measured: raw totals over its passes."""

    phase: WindowPhase
    index: int
    start_ns: int
    end_ns: int
    duration_s: float
    passes: int
    """Repetitions of the workload inside the window."""
    energy_j: float | None
    energy_uncertainty_j: float | None
    """Half-width of the instrument's 95 % interval, in joules; sensor gain not included."""
    counter_energy_j: float | None
    """Energy from the device's counter, in joules."""
    integrated_energy_j: float | None
    """Energy from integrated power, in joules."""
    power_w: float | None
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    ttft_s: float | None
    itl_s: float | None
    temperature_c: float | None
    """Temperature at the start, in degrees Celsius."""
    sm_clock_mhz: float | None
    """Mean SM clock over the window, in MHz."""
    power_limit_w: float | None
    throttle_reasons: tuple[str, ...] | None
    valid: bool
    warnings: tuple[str, ...]
    finish_reasons: dict[str, int] | None = None
    """How many requests of the window ended for which reason; ``None`` if not recorded."""
    output_length: int | None = None
    """Output tokens of every request; ``None`` if they differ or are not recorded."""

    @property
    def energy_per_output_token_j(self) -> float | None:
        return ratio(self.energy_j, self.output_tokens)


class Figures(Inferred):
    """Figures of the whole workload or of one of its phases.

    Energies and durations are those of one pass of the workload, of all windows
    together; uncertainties are half-widths of 95 % intervals.
    """

    energy_j: float | None
    energy_uncertainty_j: float | None
    power_w: float | None
    duration_s: float | None
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    energy_per_output_token_j: float | None
    energy_per_output_token_uncertainty_j: float | None
    energy_per_request_j: float | None
    output_tokens_per_s: float | None
    ttft_s: float | None
    itl_s: float | None

    @property
    def energy_per_request_uncertainty_j(self) -> float | None:
        return ratio(self.energy_uncertainty_j, self.requests)


class Phase(Figures):
    """Prefill or decode."""

    method: PhaseMethod
    reason: str
    """How the phase was told apart, or why it could not be."""


class FloorFigures(Inferred):
    """What an output token would cost at least (:mod:`pytest_llem.energy.floor.floor` has the formula)."""

    strict_per_output_token_j: float | None = None
    """Memory traffic that cannot be avoided, alone; zero for a model that fits on the chip."""
    reference_per_output_token_j: float | None = None
    """An ideal machine, with arithmetic and static power."""
    times_reference: float | None = None
    """What was measured, in multiples of the reference."""


class Floor(FloorFigures):
    """The floor of a measurement: shown, never gated on. ``None`` where there is none."""

    decode: FloorFigures | None = None
    """The same for the tokens of the decode phase."""
    reason: str
    """What it was computed for, or why there is none."""


class ScopeFigures(Figures):
    """The figures of the whole, of what was read beside the headline in the same windows."""

    meter: str
    scope: Scope
    method: Method
    devices: tuple[str, ...]
    warnings: tuple[str, ...]
    """Also where another meter says something else of the same devices."""


class TotalFigures(Figures):
    """The same over scopes of which none holds another; estimates are not in it."""

    scopes: tuple[Scope, ...]
    meters: tuple[str, ...]
    """By which each of the scopes was read."""


class TrafficFigures(Inferred):
    """What clients saw of a server, over the windows of the whole.

    How long it took is in the measurement's ``latencies``. They count from when a request was
    due, so that waiting for a busy client is no gain.
    """

    loop: Literal["closed", "open"]
    concurrency: int | None
    """Clients of a closed loop; ``None`` for an open one."""
    offered_per_s: float | None
    """Requests that were due per second in an open loop; ``None`` for a closed one."""
    served_per_s: float | None
    goodput_per_s: float | None
    """Requests served within the limits of ``traffic.slo_…`` per second; ``None`` without any."""
    goodput_share: float | None
    """Their share of all that ended, failed ones included."""
    served: int
    """Requests that were answered in full."""
    failed: int
    failures: dict[str, int]
    """Those that failed, by kind."""
    counted_by: dict[str, int]
    """Requests by what told their output tokens; ``unknown`` if nothing did."""
    in_flight_mean: float | None
    """Requests under way, as the mean over the ends of passes."""
    queue_grew: bool | None
    """Whether requests came faster than they were served; ``None`` for a closed loop."""


class Measured(Figures):
    """One measurement: the figures of the whole, its phases, and every sample."""

    name: str
    meter: str
    scope: Scope
    method: Method
    devices: tuple[str, ...]
    """UUIDs of the devices whose energy was summed."""
    prefill: Phase
    decode: Phase
    windows: tuple[WindowSample, ...]
    warm_up: WarmUp | None
    steady_state_window: tuple[int, int] | None
    """First and last instant of the windows over the whole (``time.monotonic_ns``)."""
    valid: bool
    warnings: tuple[str, ...]
    floor: Floor | None = None
    """What the tokens would cost at least; ``None`` in results that were stored without it."""
    idle: Idle | None = None
    """``None`` if it was not looked at: no model was loaded, or ``measurement.idle_s`` is 0."""
    net_energy_j: float | None = None
    """Energy beyond idling, of one pass; the headline is the gross energy. ``None`` where idling is
    not known, or took more than the load did by more than noise."""
    net_energy_uncertainty_j: float | None = None
    beside: tuple[ScopeFigures, ...] = ()
    """Other scopes and meters, in the order they were asked for."""
    total: TotalFigures | None = None
    """``None`` where no two scopes can be added."""
    traffic: TrafficFigures | None = None
    """``None`` if requests came as batches."""
    latencies: Latencies | None = None
    """Percentiles over requests and gaps; ``None`` where the engine does not say."""

    @property
    def estimated(self) -> bool:
        """Whether the energy is an estimate rather than a measurement."""
        return self.method == "estimated"

    def samples(self, phase: WindowPhase = "whole") -> Sequence[WindowSample]:
        """The windows of one phase, in order."""
        return [window for window in self.windows if window.phase == phase]


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Their quotient, or ``None`` where either is unknown or the denominator is zero."""
    if numerator is None or not denominator:
        return None
    return numerator / denominator
