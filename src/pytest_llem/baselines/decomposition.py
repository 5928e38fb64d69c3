"""Which factor of a change moved: energy is power times time, and both have causes of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.baselines.metrics import EXPLAINING, Metric, metric_named
from pytest_llem.baselines.prior import PRIORS
from pytest_llem.baselines.sessions import side_of
from pytest_llem.baselines.statistics import location, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.file import BaselineSession
    from pytest_llem.baselines.prior import Prior
    from pytest_llem.baselines.samples import Side

FACTORS = (
    *(
        f"{phase}{name}"
        for phase in ("", "prefill.", "decode.")
        for name in ("duration_s", "power_w")
    ),
    *EXPLAINING,
)
"""What is looked at beside the metric itself."""
SURELY = 2.0
"""Standard errors that a factor has to move by to be called moved: about 95 %."""
CLOCK_MOVED = 0.01
"""Relative change of the SM clock that is worth a word."""
TEMPERATURE_MOVED_C = 5.0


def factors_of(
    before: Sequence[BaselineSession], now: BaselineSession, measurement: str
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Where each factor lies on both sides, by its name; of those that are known."""
    for name in FACTORS:
        if (found := factor(*_sides(before, now, measurement, name))) is not None:
            yield name, found


def factor_errors_of(
    before: Sequence[BaselineSession], now: BaselineSession, measurement: str
) -> Iterator[tuple[str, float]]:
    """Standard errors of the logarithms of the ratios of the same."""
    prior = PRIORS["estimated" if now.fingerprint.estimated else "measured"]
    for name, _ in factors_of(before, now, measurement):
        yield name, factor_error(*_sides(before, now, measurement, name), prior)


def _sides(
    before: Sequence[BaselineSession], now: BaselineSession, measurement: str, name: str
) -> tuple[Side, Side]:
    return side_of(before, measurement, name), side_of([now], measurement, name)


def factor(before: Side, now: Side) -> tuple[float, float] | None:
    """Where a factor lies on both sides, in its unit; ``None`` if a value is missing or not positive."""
    if not all(side.values and min(side.values) > 0 for side in (before, now)):
        return None
    return math.exp(location(before)), math.exp(location(now))


def factor_error(before: Side, now: Side, prior: Prior) -> float:
    """Standard error of the logarithm of a factor's ratio, by how processes differ.

    Their variance is moderated by the profile's (Smyth 2004, as for the metric itself). What days
    differ by is not in it: it says what these processes show.
    """
    squares, df, share = 0.0, 0, 0.0
    for side in (before, now):
        for session in side.sessions:
            logs = [windows(sample.values).location for sample in session]
            mean = math.fsum(logs) / len(logs)
            squares += math.fsum((log - mean) ** 2 for log in logs)
            df += len(logs) - 1
            share += 1 / len(logs) / len(side.sessions) ** 2
    variance = (prior.process_df * prior.process_sd**2 + squares) / (prior.process_df + df)
    return math.sqrt(variance * share)


def because(comparison: Comparison) -> Iterator[str]:
    """What moved beside the metric: time and power, clocks and temperature, at which work."""
    metric = metric_named(comparison.rule.metric)
    factors = comparison.factors
    time, power = (Metric(metric.phase, name).name for name in ("duration_s", "power_w"))
    changes = {name: after / before - 1 for name, (before, after) in factors.items()}
    if metric.quantity.startswith("energy") and time in changes and power in changes:
        said = f"time {_percent(changes[time])}{_phases(metric, changes)}, power {_percent(changes[power])}"
        yield f"{said}: {_moved(comparison, time, power)}{_work(comparison)}"
    if abs(clock := changes.get("sm_clock_mhz", 0.0)) > CLOCK_MOVED:
        yield f"SM clock {_percent(clock)}"
    before, after = factors.get("temperature_c", (0.0, 0.0))
    if abs(after - before) > TEMPERATURE_MOVED_C:
        yield f"temperature {before:.0f} → {after:.0f} °C"


def _moved(comparison: Comparison, time: str, power: str) -> str:
    """Which of the two factors of energy moved, as far as processes tell."""
    moved = {
        called: math.log(comparison.factors[name][1] / comparison.factors[name][0])
        for called, name in (("time", time), ("power", power))
        if _surely(comparison, name)
    }
    if not moved:
        return "neither moved by more than processes differ"
    if len(moved) == 1:
        (called,) = moved
        return f"{called} moved, {'power' if called == 'time' else 'time'} not surely"
    if moved["time"] * moved["power"] < 0:
        return "both moved, against each other"
    first = max(moved, key=lambda called: abs(moved[called]))
    return f"both moved, {first} more"


def _surely(comparison: Comparison, name: str) -> bool:
    before, after = comparison.factors[name]
    prior = PRIORS[comparison.profile]
    error = comparison.factor_errors.get(name, math.sqrt(2) * prior.process_sd)
    return abs(math.log(after / before)) > SURELY * error


def _phases(metric: Metric, changes: Mapping[str, float]) -> str:
    phases = [phase for phase in ("prefill", "decode") if f"{phase}.duration_s" in changes]
    if metric.phase != "whole" or not phases:
        return ""
    said = ", ".join(f"{phase} {_percent(changes[f'{phase}.duration_s'])}" for phase in phases)
    return f" ({said})"


def _work(comparison: Comparison) -> str:
    """The token counts, which are the same on both sides or nothing would have been compared."""
    tokens = comparison.output_tokens
    return "" if tokens is None else f", at {tokens} output tokens a pass on both sides"


def _percent(change: float) -> str:
    return f"{100 * change:+.1f} %"
