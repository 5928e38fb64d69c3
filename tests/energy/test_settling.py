"""When devices have settled under a load, and what is said when they have not."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.curves import Constant, Piece, Pieces, Ramp, Sine, Square, Sum
from instruments.recordings import MS, SECOND, Sensor
from instruments.warming_up import START_NS, WarmingUp
from pytest_llem.devices.meter import Capability, Facts
from pytest_llem.energy.marks import Criterion, WarmUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.curve import Curve

HOUR_NS = 3600 * SECOND


def approach(start_w: float, end_w: float, tau_s: float) -> Curve:
    """An RC circuit's power: towards an end, ever more slowly."""
    piece = Piece(HOUR_NS, start_w, end_w, round(tau_s * SECOND))
    return Pieces((piece,), START_NS)


def warming(start_c: float, end_c: float, tau_s: float) -> Callable[[int], Facts]:
    """The temperature of one, in whole degrees."""

    def facts(now_ns: int) -> Facts:
        into_s = max(now_ns - START_NS, 0) / SECOND
        degrees = end_c + (start_c - end_c) * math.exp(-into_s / tau_s)
        return Facts(now_ns, temperature_c=math.floor(degrees))

    return facts


def throttled(reason: str, on: Callable[[float], bool]) -> Callable[[int], Facts]:
    """Level, but throttled at some seconds of the load."""

    def facts(now_ns: int) -> Facts:
        reasons = (reason,) if on((now_ns - START_NS) / SECOND) else ()
        return Facts(now_ns, temperature_c=60.0, throttle_reasons=reasons)

    return facts


def noisy(watts: float, noise: float, pass_s: float, seed: int) -> Curve:
    """Each pass with a power of its own."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    passes = [Piece(round(pass_s * SECOND), rng.gauss(watts, noise * watts)) for _ in range(400)]
    return Pieces(tuple(passes), START_NS)


@settings(max_examples=12)
@given(
    watts=st.floats(40.0, 1200.0),
    pass_s=st.sampled_from([0.004, 0.03, 0.1, 0.3]),
    seed=st.integers(0, 1000),
)
def test_a_level_load_has_settled_within_seconds(watts: float, pass_s: float, seed: int) -> None:
    load = WarmingUp([Constant(watts)], pass_s, seed=seed)
    assert load.settled_s(3.5) is not None
    assert all(one.holds is not False for one in load.watch.settled)


@pytest.mark.parametrize(
    ("period_ms", "duty", "pass_s"),
    [(100, 0.5, 0.1), (700, 0.3, 0.7), (130, 0.6, 0.13), (50, 0.2, 0.1), (2000, 0.4, 2.0)],
)
def test_what_alternates_within_each_pass_is_steady(
    period_ms: int, duty: float, pass_s: float
) -> None:
    wave = Square(
        low_w=120.0, high_w=600.0, period_ns=period_ms * MS, duty=duty, origin_ns=START_NS
    )
    settled_s = WarmingUp([wave], pass_s).settled_s(20.0)
    assert settled_s is not None
    assert settled_s <= max(8.0, 8 * pass_s)


def test_a_wave_that_is_not_in_step_with_the_passes_is_steady_too() -> None:
    wave = Sine(middle_w=400.0, amplitude_w=60.0, period_ns=370 * MS)
    assert WarmingUp([wave], 0.1).settled_s(12.0) is not None


@pytest.mark.parametrize("seed", range(4))
def test_power_that_scatters_from_pass_to_pass_is_steady(seed: int) -> None:
    load = WarmingUp([noisy(400.0, 0.08, 0.1, seed)], 0.1, seed=seed)
    assert load.settled_s(14.0) is not None


@pytest.mark.parametrize("tau_s", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("start_w", [300.0, 500.0])
def test_power_that_approaches_its_end_is_waited_for(start_w: float, tau_s: float) -> None:
    curve = approach(start_w, 400.0, tau_s)
    settled_s = WarmingUp([curve], 0.1).settled_s(30.0)
    assert settled_s is not None
    now_ns = START_NS + round(settled_s * SECOND)
    ahead_w = [curve.mean_w(now_ns + i * SECOND, now_ns + (i + 1) * SECOND) for i in range(5)]
    assert max(ahead_w) - min(ahead_w) <= 0.02 * 400
    assert settled_s <= 3 + 5 * tau_s


@pytest.mark.parametrize("sensor", [Sensor(quantum_j=None), Sensor(averaging_ns=None)])
def test_a_ramp_is_seen_by_power_or_by_energy_alone(sensor: Sensor) -> None:
    ramp = Ramp(start_w=300.0, end_w=600.0, duration_ns=30 * SECOND, origin_ns=START_NS)
    load = WarmingUp([ramp], sensors=[sensor])
    assert load.settled_s(12.0) is None
    power = load.seen()["power"]
    assert power.holds is False
    assert power.value is not None
    assert power.value == pytest.approx(10.0 * 5 / 375, rel=0.25)
    assert power.limit == 0.02
    assert "drifts by +1" in power.reason


@pytest.mark.parametrize(
    "sensor",
    [
        Sensor(refresh_ns=SECOND, averaging_ns=None),
        Sensor(power_refresh_ns=SECOND, quantum_j=None),
    ],
)
def test_a_sensor_that_refreshes_seldom_is_given_the_time(sensor: Sensor) -> None:
    ramp = Ramp(start_w=300.0, end_w=600.0, duration_ns=30 * SECOND, origin_ns=START_NS)
    assert WarmingUp([ramp], sensors=[sensor]).settled_s(20.0) is None
    settled_s = WarmingUp([noisy(400.0, 0.01, 0.1, 1)], sensors=[sensor]).settled_s(20.0)
    assert settled_s is not None
    assert settled_s > 4.0


def test_a_drift_counts_over_as_long_as_the_windows_take() -> None:
    ramp = Ramp(start_w=400.0, end_w=500.0, duration_ns=100 * SECOND, origin_ns=START_NS)
    assert WarmingUp([ramp], lasting_s=2.0).settled_s(10.0) is not None
    assert WarmingUp([ramp], lasting_s=20.0).settled_s(20.0) is None


def test_the_drift_of_one_device_is_not_made_up_for_by_another() -> None:
    up = Ramp(start_w=300.0, end_w=600.0, duration_ns=30 * SECOND, origin_ns=START_NS)
    down = Ramp(start_w=600.0, end_w=300.0, duration_ns=30 * SECOND, origin_ns=START_NS)
    load = WarmingUp([up, down])
    assert load.settled_s(8.0) is None
    assert "power of GPU-" in load.seen()["power"].reason
    assert WarmingUp([Sum((up, down))]).settled_s(8.0) is not None


@pytest.mark.parametrize("drifting", range(6))
def test_each_of_many_devices_is_looked_at(drifting: int) -> None:
    up = Ramp(start_w=300.0, end_w=900.0, duration_ns=20 * SECOND, origin_ns=START_NS)
    level = [Constant(300.0)] * 6
    assert WarmingUp(level).settled_s(4.0) is not None
    load = WarmingUp([*level[:drifting], up, *level[drifting + 1 :]])
    assert load.settled_s(5.0) is None
    load.go_on(1.0)
    assert load.seen()["power"].holds is False


def test_the_drift_of_a_device_that_draws_next_to_nothing_is_none_of_the_whole() -> None:
    little = Ramp(start_w=5.0, end_w=10.0, duration_ns=20 * SECOND, origin_ns=START_NS)
    assert WarmingUp([Constant(700.0), little]).settled_s(8.0) is not None


def test_a_temperature_that_rises_is_waited_for() -> None:
    load = WarmingUp([Constant(400.0)], facts=warming(35.0, 75.0, 6.0))
    settled_s = load.settled_s(30.0)
    assert settled_s is not None
    assert 5.0 < settled_s < 20.0
    ahead_c = 40.0 * math.exp(-settled_s / 6) * (1 - math.exp(-5 / 6))
    assert ahead_c <= 4.0


def test_a_temperature_that_rises_is_named_with_its_rate() -> None:
    load = WarmingUp([Constant(400.0)], facts=warming(35.0, 95.0, 20.0))
    assert load.settled_s(5.0) is None
    seen = load.seen()
    assert [name for name, one in seen.items() if one.holds is False] == ["temperature"]
    assert seen["temperature"].value is not None
    assert seen["temperature"].value > 3.0
    assert "3 °C allowed" in seen["temperature"].reason


@pytest.mark.parametrize("rate_c_per_s", [1.0, 2.0, -1.5])
def test_a_steady_rise_is_never_taken_for_a_step_of_the_sensor(rate_c_per_s: float) -> None:
    def facts(now_ns: int) -> Facts:
        return Facts(now_ns, temperature_c=60 + rate_c_per_s * (now_ns - START_NS) // SECOND)

    assert WarmingUp([Constant(400.0)], facts=facts).settled_s(12.0) is None


def test_long_windows_need_a_longer_look_at_temperature() -> None:
    load = WarmingUp([Constant(400.0)], lasting_s=20.0)
    load.go_on(4.0)
    temperature = load.seen()["temperature"]
    assert temperature.holds is False
    assert "may be" in temperature.reason
    load.go_on(5.0)
    assert load.seen()["temperature"].holds


@pytest.mark.parametrize("flicker_c", [59.0, 61.0])
def test_a_sensor_that_flickers_by_a_degree_has_settled(flicker_c: float) -> None:
    def facts(now_ns: int) -> Facts:
        return Facts(now_ns, temperature_c=60.0 if now_ns // (900 * MS) % 2 else flicker_c)

    assert WarmingUp([Constant(400.0)], facts=facts).settled_s(5.0) is not None


@pytest.mark.parametrize("reason", ["hw_thermal_slowdown", "sw_thermal_slowdown", "hw_slowdown"])
def test_what_is_slowed_again_and_again_has_not_settled(reason: str) -> None:
    facts = throttled(reason, lambda t: t % 3 < 0.5)
    load = WarmingUp([Constant(400.0)], facts=facts)
    assert load.settled_s(12.0) is None
    seen = load.seen()["throttling"]
    assert (seen.holds, seen.value) == (False, 1.0)
    assert f"ago: {reason}" in seen.reason


def test_what_was_slowed_at_first_is_left_time_to_settle() -> None:
    facts = throttled("hw_thermal_slowdown", lambda t: t < 1.0)
    settled_s = WarmingUp([Constant(400.0)], facts=facts).settled_s(12.0)
    assert settled_s is not None
    assert 5.5 < settled_s < 8.0


def test_what_slowed_between_two_looks_is_seen_too() -> None:
    def facts(now_ns: int) -> Facts:
        return Facts(now_ns, throttle_reasons=(), slowed_ns=now_ns // (2 * SECOND) * 100 * MS)

    load = WarmingUp([Constant(400.0)], facts=facts)
    load.go_on(3.0)
    assert load.settled_s(10.0) is None
    assert "heat, a brake or a limit of its board" in load.seen()["throttling"].reason


@pytest.mark.parametrize("reason", ["sw_power_cap", "gpu_idle", "applications_clocks_setting"])
def test_how_a_card_is_meant_to_run_is_no_disturbance(reason: str) -> None:
    facts = throttled(reason, lambda t: t % 2 < 1)
    assert WarmingUp([Constant(400.0)], facts=facts).settled_s(3.0) is not None


def test_what_a_device_does_not_tell_is_left_out() -> None:
    load = WarmingUp([Constant(90.0)], facts=Facts)
    assert load.settled_s(3.0) is not None
    held = {one.name: one.holds for one in load.watch.settled}
    assert held == {"power": True, "temperature": None, "throttling": None}


def test_an_estimate_shows_no_power() -> None:
    load = WarmingUp([Constant(90.0)], facts=Facts)
    (trace,) = load.scene.sampler.traces
    estimated = Capability("process", "estimated", None, None)
    trace.device = replace(trace.device, capability=estimated)
    assert load.settled_s(0.5) is not None
    assert {one.holds for one in load.watch.settled} == {None}


def test_a_device_that_cannot_be_read_holds_nothing_up() -> None:
    load = WarmingUp([Constant(90.0)])
    load.go_on(1.0)
    load.meter.lost.add("GPU-0")
    load.go_on(4.0)
    power = load.seen()["power"]
    assert power.holds is None
    assert power.reason == "GPU-0 could not be read"


def test_a_device_that_cannot_be_read_hides_no_other() -> None:
    ramp = Ramp(start_w=300.0, end_w=600.0, duration_ns=30 * SECOND, origin_ns=START_NS)
    load = WarmingUp([ramp, Constant(90.0)])
    load.go_on(1.0)
    load.meter.lost.add("GPU-1")
    load.go_on(6.0)
    power = load.seen()["power"]
    assert power.holds is False
    assert power.reason.endswith("GPU-1 could not be read")


def test_long_passes_need_five_of_them() -> None:
    load = WarmingUp([Constant(400.0)], 3.0)
    assert load.settled_s(11.0) is None
    assert load.seen()["power"].reason.startswith("too few passes")
    assert load.settled_s(30.0) is not None


def warm_up_of(load: WarmingUp, *, converged: bool, latency: bool) -> WarmUp:
    seen = Criterion(name="latency", holds=latency, reason="passes of 0.1 s")
    return WarmUp(
        start_ns=START_NS,
        end_ns=load.scene.clock(),
        passes=9,
        converged=converged,
        reason="",
        criteria=(seen,),
    )


def test_a_warm_up_tells_all_that_was_looked_at() -> None:
    load = WarmingUp([Constant(400.0)])
    settled_s = load.settled_s(5.0)
    done = load.watch.completed(warm_up_of(load, converged=True, latency=True))
    assert [(one.name, one.holds) for one in done.criteria] == [
        ("latency", True),
        ("power", True),
        ("temperature", True),
        ("throttling", None),
    ]
    assert done.reason.startswith("passes of 0.1 s; power drifts by ")
    assert done.duration_s == pytest.approx(settled_s)


def test_a_warm_up_that_did_not_converge_says_which_signals_did_not_settle() -> None:
    load = WarmingUp([Constant(400.0)], facts=warming(35.0, 95.0, 20.0))
    load.go_on(5.0)
    done = load.watch.completed(warm_up_of(load, converged=False, latency=True))
    assert done.reason.startswith("not steady within 5.0 s: temperature changed by ")
    assert "power" not in done.reason
    both = load.watch.completed(warm_up_of(load, converged=False, latency=False))
    assert both.reason.startswith("not steady within 5.0 s: passes of 0.1 s; temperature")


def test_what_was_steady_only_in_turns_is_said_to_be_so() -> None:
    load = WarmingUp([Constant(400.0)])
    load.go_on(5.0)
    done = load.watch.completed(warm_up_of(load, converged=False, latency=True))
    assert done.reason == (
        "not steady within 5.0 s: everything was steady at some time, but not at once"
    )


def test_looking_needs_no_heavy_libraries() -> None:
    source = (
        "import sys, pytest_llem.energy.warm_up.watch; "
        "print(*({'numpy', 'scipy', 'pyarrow', 'torch'} & set(sys.modules)))"
    )
    told = subprocess.check_output([sys.executable, "-c", source], text=True)
    assert told.strip() == ""


def test_what_is_seen_as_of_an_instant_stays_so() -> None:
    ramp = Pieces((Piece(6 * SECOND, 300.0, 500.0), Piece(HOUR_NS, 500.0)), START_NS)
    load = WarmingUp([ramp])
    load.go_on(5.0)
    then_ns = load.scene.clock()
    before = load.seen()
    load.go_on(20.0)
    assert load.seen()["power"].holds
    after = {one.name: one for one in load.watch.seen(then_ns)}
    assert after["power"].holds is before["power"].holds is False


@pytest.mark.parametrize("every", [1, 2])
def test_a_temperature_that_is_no_number_is_not_told(every: int) -> None:
    def facts(now_ns: int) -> Facts:
        odd = now_ns // (250 * MS) % every == 0
        return Facts(now_ns, temperature_c=math.nan if odd else 50.0)

    load = WarmingUp([Constant(300.0)], 0.1, facts=facts)
    assert load.settled_s(10.0) is not None
