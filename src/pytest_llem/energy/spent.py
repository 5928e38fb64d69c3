"""The energy of everything that was read of a process: loading, warm-up and windows alike."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.estimator.readings import readings_between
from pytest_llem.energy.estimator.repair import implausible_w, plausible, repaired
from pytest_llem.energy.measured import Inferred
from pytest_llem.energy.scopes import capability_of, groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.sampling.trace import Trace

_ENDLESS_NS = 2**62
SECOND_NS = 1e9


class Spent(Inferred):
    """What the devices of a process used from its first reading to its last."""

    energy_j: float | None
    """``None`` if a device was not read, or its counter was reset meanwhile."""
    read_s: float
    """From the first reading to the last of the device that was read for the shortest time."""
    scope: Scope
    method: Method
    devices: int
    """How many."""


def spent_of(traces: Sequence[Trace]) -> Spent:
    """What the traces that are the headline's used, from the first reading to the last.

    Of a counter that is the difference, its wraps carried on; without one, power readings
    integrated by the trapezoidal rule. It knows no interval: windows are what was measured well.

    Raises:
        MeterError: there is no trace, or traces that belong together were not read alike.
    """
    group = groups_of(traces)[0]
    capability = capability_of(group)
    energies = [_energy_j(trace) for trace in group]
    known = [energy_j for energy_j in energies if energy_j is not None]
    return Spent(
        energy_j=sum(known) if len(known) == len(energies) else None,
        read_s=min(_read_s(trace) for trace in group),
        scope=capability.scope,
        method=capability.method,
        devices=len(group),
    )


def _read_s(trace: Trace) -> float:
    return (trace.after_ns[-1] - trace.before_ns[0]) / SECOND_NS if len(trace) else 0.0


def _energy_j(trace: Trace) -> float | None:
    limits = [fact.power_limit_w for fact in trace.facts if fact.power_limit_w is not None]
    most_w = implausible_w(max(limits, default=None))
    readings = repaired(readings_between(trace, -_ENDLESS_NS, _ENDLESS_NS), most_w).readings
    counters = readings.with_energy()
    if len(counters):
        return _by_counter(counters, most_w)
    powers = readings.with_power()
    return _by_power(powers) if len(powers) > 1 else None


def _by_counter(counters: Readings, most_w: float) -> float | None:
    steps = pairwise(range(len(counters)))
    if len(counters) < 2 or not all(plausible(counters, a, b, most_w) for a, b in steps):  # noqa: PLR2004 - ends
        return None
    return counters.energy_j[-1] - counters.energy_j[0]


def _by_power(powers: Readings) -> float:
    middles = [(a + b) / 2 for a, b in zip(powers.before_ns, powers.after_ns, strict=True)]
    samples = zip(middles, powers.power_w, strict=True)
    return sum((a[1] + b[1]) / 2 * (b[0] - a[0]) / SECOND_NS for a, b in pairwise(samples))
