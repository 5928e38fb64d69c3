"""The energy of everything that was read of a process."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Ramp
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.energy.sampling.trace import UNPARTED, Trace
from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.devices.meter import Method

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


def changed(trace: Trace, energy_j: Callable[[float, float], float], power_w: float) -> Trace:
    """The trace with other energies, by seconds since its start, and with power readings."""
    for i, value in enumerate(trace.energy_j):
        trace.energy_j[i] = energy_j((trace.before_ns[i] - ORIGIN) / SECOND, value)
        trace.power_w[i] = power_w
    return trace


@pytest.mark.parametrize("method", ["counter", "estimated"])
def test_a_counter_that_never_moved_is_unknown_and_a_model_may_say_nothing_was_used(
    method: Method,
) -> None:
    trace = trace_of(Constant(300.0))
    trace.device = replace(trace.device, capability=Capability("gpu", method, None, None))
    spent = spent_of([changed(trace, lambda _, __: 50.0, 300.0)])
    if method == "estimated":
        assert (spent.energy_j, spent.reason) == (0.0, None)
    else:
        assert spent.energy_j is None
        assert spent.reason == "GPU-1: the energy counter gave nothing new for the last 8.0 s"


@pytest.mark.parametrize(
    ("energy_j", "said"),
    [
        (lambda s, value: value if s < 3 else math.nan, "nothing new for the last 5.0 s"),
        (lambda s, value: min(value, 300.0 * 103), "nothing new for the last 5.0 s"),
        (lambda s, value: value if s > 3 else math.nan, "nothing for the first 3.0 s"),
        (lambda _, __: math.nan, "the energy counter gave nothing"),
        (lambda s, value: value - 300 * min(max(s - 3, 0), 2), "did not catch up"),
        (lambda s, value: value if s < 4 else value - 30_000, "went backwards"),
        (lambda s, value: value if s < 4 else value + 30_000, "more than the device can use"),
    ],
)
def test_what_a_counter_did_not_see_is_unknown_and_says_why(
    energy_j: Callable[[float, float], float], said: str
) -> None:
    spent = spent_of([changed(trace_of(Constant(300.0)), energy_j, 300.0)])
    assert spent.energy_j is None
    assert said in (spent.reason or "")


def test_a_process_that_ended_before_the_counter_refreshed_has_not_used_nothing() -> None:
    short = changed(trace_of(Constant(300.0), until_s=0.05), lambda _, __: 50.0, 300.0)
    spent = spent_of([short])
    assert spent.energy_j is None
    assert "not seen to refresh in the 0.05 s" in (spent.reason or "")


def test_a_counter_that_caught_up_or_leapt_in_its_first_reading_is_known() -> None:
    late = changed(trace_of(Constant(300.0)), lambda s, v: v if not 3 < s < 5 else 30900.0, 300.0)
    off = changed(trace_of(Constant(300.0)), lambda s, v: v + 90_000 * (s == 0), 300.0)
    assert spent_of([late]).energy_j == pytest.approx(2400.0)
    assert spent_of([off]).energy_j == pytest.approx(2400.0, rel=0.01)
    assert spent_of([late, off]).reason is None


def test_a_device_that_was_never_read_is_unknown() -> None:
    silent = Trace(Device("GPU-2", "simulated", Capability("gpu", "counter", 0.001, None)), "nvml")
    spent = spent_of([trace_of(Constant(100.0)), silent])
    assert spent.energy_j is None
    assert spent.read_s == 0.0
    assert spent.reason == "GPU-2: it was never read"


def test_without_a_trace_there_is_nothing_to_tell() -> None:
    with pytest.raises(MeterError, match="nothing was read"):
        spent_of([])
