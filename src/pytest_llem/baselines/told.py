"""One metric of an experiment as it is told to others: its value, its interval, and its windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.baselines.metrics import (
    BESIDE_QUANTITIES,
    METRICS,
    OF_THE_WHOLE,
    beside_name,
    metric_named,
)
from pytest_llem.baselines.values import metric_values
from pytest_llem.energy.figures import both, counted, terms_of
from pytest_llem.energy.known import known_hypot, known_sum
from pytest_llem.energy.measured import ratio
from pytest_llem.energy.nested import beyond_windows
from pytest_llem.energy.pooled import pooled
from pytest_llem.energy.student import mean_and_half_width_95

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.baselines.metrics import Metric
    from pytest_llem.energy.measured import Figures, Measured, WindowSample

SECONDS_PER_TOKEN = "seconds_per_output_token_s"  # noqa: S105 - a metric
"""Not gated, since it is the reciprocal of ``output_tokens_per_s``; for tools that know times only."""
_ENERGIES = {
    "energy_j": "energy_uncertainty_j",
    "energy_per_output_token_j": "energy_per_output_token_uncertainty_j",
    "energy_per_request_j": "energy_per_request_uncertainty_j",
}
_STATED = {
    **_ENERGIES,
    **{f"total.{name}": f"total.{stated}" for name, stated in _ENERGIES.items()},
    "net_energy_j": "net_energy_uncertainty_j",
    "idle.power_w": "idle.power_uncertainty_w",
}
"""Figures that state an uncertainty of their own, and where."""


class Told(NamedTuple):
    """A metric that is known."""

    metric: Metric
    value: float
    half_width: float | None
    """Of the 95 % interval; ``None`` if nothing tells it."""
    estimated: bool
    """Whether it is an estimate rather than a measurement; times never are."""


def told_metrics(processes: Sequence[Measured]) -> Iterator[Told]:
    """Every metric that is known of a measurement, made once in each of *processes*, at least one.

    Values are those of the terminal's table: of one process its figures, of several their mean.
    Energies and idle power have the interval that they state. Of others it is the t interval of the mean over
    processes, or over windows where there is one process only; that of power has the instrument's in it.
    """
    whole = pooled(processes)
    for metric in METRICS.values():
        value = _value(processes, whole, metric)
        if value is not None and math.isfinite(value):
            width = _half_width(processes, whole, metric)
            yield Told(metric, value, width, is_estimate(whole, metric.name))
    yield from _beside(whole)


def _beside(whole: Measured) -> Iterator[Told]:
    """What meters beside the first read, of every process."""
    of = {(one.scope, one.meter): one for one in whole.beside}
    for (scope, meter), figures in of.items():
        for quantity in BESIDE_QUANTITIES:
            value: float | None = getattr(figures, quantity)
            if value is not None and math.isfinite(value):
                metric = metric_named(beside_name(scope, meter, quantity))
                stated = getattr(figures, _STATED[quantity]) if quantity in _STATED else None
                yield Told(metric, value, _finite(stated), figures.method == "estimated")


def window_values(processes: Sequence[Measured], name: str) -> tuple[float, ...]:
    """The metric *name* in every valid window of all processes, in order.

    Also of :data:`SECONDS_PER_TOKEN`. Empty if it is not known.
    """
    if name != SECONDS_PER_TOKEN:
        metric = METRICS[name]
        return tuple(value for one in processes for value in metric_values(one, metric))
    samples = (sample for one in processes for sample in one.samples() if sample.valid)
    return tuple(value for sample in samples if (value := _seconds_per_token(sample)) is not None)


def windows_energy_j(processes: Sequence[Measured]) -> float | None:
    """Energy of all windows of whatever phase, valid or not; ``None`` if any is unknown."""
    return _sum(processes, lambda sample: sample.energy_j)


def windows_s(processes: Sequence[Measured]) -> float:
    """How long all windows took together, in seconds."""
    return _sum(processes, lambda sample: sample.duration_s) or 0.0


def windows_tokens(processes: Sequence[Measured]) -> tuple[int | None, int | None]:
    """Prompt tokens and generated tokens of all windows; ``None`` where any is unknown."""
    read = _sum(processes, lambda sample: sample.input_tokens)
    written = _sum(processes, lambda sample: sample.output_tokens)
    return (
        None if read is None else round(read),
        None if written is None else round(written),
    )


def _sum(processes: Sequence[Measured], of: Callable[[WindowSample], float | None]) -> float | None:
    return known_sum(of(sample) for one in processes for sample in one.windows)


def _seconds_per_token(sample: WindowSample) -> float | None:
    return ratio(sample.duration_s, sample.output_tokens)


def _value(processes: Sequence[Measured], whole: Measured, metric: Metric) -> float | None:
    if metric.quantity not in OF_THE_WHOLE:
        value = getattr(_holder(whole, metric), metric.quantity)
        return None if value is None else float(value)
    values = [metric_values(one, metric) for one in processes]
    known = [value[0] for value in values if value]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def _holder(measured: Measured, metric: Metric) -> Figures:
    if metric.phase == "whole":
        return measured
    return measured.prefill if metric.phase == "prefill" else measured.decode


def _half_width(processes: Sequence[Measured], whole: Measured, metric: Metric) -> float | None:
    if metric.quantity in _STATED:
        return _stated(_holder(whole, metric), _STATED[metric.quantity])
    values = [metric_values(one, metric) for one in processes]
    if not all(values):
        return None
    means = [math.fsum(one) / len(one) for one in values]
    spread = mean_and_half_width_95(means if len(means) > 1 else list(values[0]))[1]
    if metric.name == "power_w":
        spread = both(spread, _instrument_w(processes))
    return _finite(spread)


def _instrument_w(processes: Sequence[Measured]) -> float | None:
    """Half-width of mean power by what the instrument states of energy; ``None`` where it states none."""
    half_w = known_hypot(_own_w(one) for one in processes)
    return ratio(half_w, len(processes))


def _own_w(one: Measured) -> float | None:
    """The instrument's part of one process."""
    if one.energy_uncertainty_j is None:
        return None
    passes_j = terms_of(counted(one.samples()), "passes")
    return ratio(beyond_windows(passes_j, one.energy_uncertainty_j), one.duration_s)


def _stated(holder: Figures, path: str) -> float | None:
    stated: object = holder
    for part in path.split("."):
        stated = getattr(stated, part, None)
    return _finite(stated) if isinstance(stated, float) else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
