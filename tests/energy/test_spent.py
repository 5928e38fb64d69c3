"""The energy of everything that was read of a process."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Ramp
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.energy.sampling.trace import UNPARTED, Trace
from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import MeterError

MS = 1_000_000
SECOND = 1_000_000_000
ORIGIN = 100 * SECOND


def trace_of(
    curve: Curve, *, counter: bool = True, until_s: float = 8, uuid: str = "GPU-1"
) -> Trace:
    """An ideal instrument, polled every 10 ms."""
    method = "counter" if counter else "integrated"
    trace = Trace(Device(uuid, "simulated", Capability("gpu", method, 0.001, None)), "nvml")
    for t in range(ORIGIN, ORIGIN + round(until_s * SECOND) + 1, 10 * MS):
        trace.before_ns.append(t)
        trace.energy_j.append(curve.energy_j(0, t) if counter else math.nan)
        trace.power_w.append(math.nan if counter else curve.energy_j(t - MS, t + MS) / 2e-3)
        trace.between_ns.append(UNPARTED)
        trace.after_ns.append(t)
    return trace


@given(st.floats(1, 700), st.floats(0.1, 20))
def test_a_counter_is_read_from_its_first_value_to_its_last(watts: float, until_s: float) -> None:
    spent = spent_of([trace_of(Constant(watts), until_s=until_s)])
    assert spent.energy_j == pytest.approx(watts * spent.read_s, rel=1e-6)
    assert spent.read_s == pytest.approx(until_s, abs=0.011)


def test_power_alone_is_integrated() -> None:
    curve = Ramp(start_w=100.0, end_w=500.0, duration_ns=8 * SECOND, origin_ns=ORIGIN)
    spent = spent_of([trace_of(curve, counter=False)])
    assert spent.energy_j == pytest.approx(curve.energy_j(ORIGIN, ORIGIN + 8 * SECOND), rel=1e-3)


def test_devices_are_added() -> None:
    both = [trace_of(Constant(100.0)), trace_of(Constant(50.0), uuid="GPU-2")]
    spent = spent_of(both)
    assert (spent.energy_j, spent.devices) == (pytest.approx(1200.0), 2)


def test_a_counter_that_wrapped_is_carried_on_and_one_that_was_reset_is_unknown() -> None:
    wrapped, reset = trace_of(Constant(100.0)), trace_of(Constant(100.0))
    first_j = wrapped.energy_j[0]
    for trace, end_j in ((wrapped, 2.0**32 * 1e-3), (reset, first_j + 300.0)):
        start_j = end_j - 400.0 if trace is wrapped else first_j
        for i, energy_j in enumerate(trace.energy_j):
            told_j = start_j + energy_j - first_j
            trace.energy_j[i] = told_j if told_j < end_j else told_j - end_j
    assert spent_of([wrapped]).energy_j == pytest.approx(800.0)
    assert spent_of([reset]).energy_j is None


def test_a_device_that_was_never_read_is_unknown() -> None:
    silent = Trace(Device("GPU-2", "simulated", Capability("gpu", "counter", 0.001, None)), "nvml")
    spent = spent_of([trace_of(Constant(100.0)), silent])
    assert spent.energy_j is None
    assert spent.read_s == 0.0


def test_without_a_trace_there_is_nothing_to_tell() -> None:
    with pytest.raises(MeterError, match="nothing was read"):
        spent_of([])
