"""Energies of windows against exact integrals that share no code with the estimator."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Piece, Pieces, Ramp, Sine, Square
from instruments.recordings import MS, SECOND, Sensor, edited, recorded, sensor_of
from instruments.strategies import WATTS
from instruments.strategies import curves as any_curves
from pytest_llem.devices.meter import Capability, Device, Reading
from pytest_llem.energy.estimator.window import WindowEnergy, estimate_window
from pytest_llem.energy.sampling.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

START_NS = 1_000 * SECOND
"""When virtual time begins."""
BUSY = Square(low_w=150.0, high_w=600.0, period_ns=700 * MS)


def begin_ns(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


@pytest.fixture(scope="module")
def steady() -> Trace:
    return recorded(Constant(400.0), Sensor(phase_ns=37 * MS), seconds=12)


@pytest.fixture(scope="module")
def busy() -> Trace:
    return recorded(BUSY, Sensor(phase_ns=37 * MS, power_phase_ns=11 * MS), seconds=12)


def told(window: WindowEnergy) -> tuple[float, float]:
    assert window.valid, window.warnings
    assert window.energy_j is not None
    assert window.uncertainty_j is not None
    return window.energy_j, window.uncertainty_j


@pytest.mark.parametrize("offset_ms", range(0, 100, 7))
def test_one_second_of_a_steady_load_is_within_one_percent_and_covered(
    steady: Trace, offset_ms: int
) -> None:
    start_ns = begin_ns(4) + offset_ms * MS
    energy_j, uncertainty_j = told(estimate_window(steady, start_ns, start_ns + SECOND))
    assert energy_j == pytest.approx(400.0, rel=0.01)
    assert abs(energy_j - 400.0) <= uncertainty_j
    assert uncertainty_j <= 0.02 * 400.0


def test_mean_power_is_energy_over_duration(steady: Trace) -> None:
    window = estimate_window(steady, begin_ns(4), begin_ns(6.5))
    assert window.energy_j is not None
    assert window.power_w == pytest.approx(window.energy_j / 2.5, rel=1e-12)


def test_a_steady_load_is_read_alike_both_ways_and_without_warning(steady: Trace) -> None:
    window = estimate_window(steady, begin_ns(4), begin_ns(6))
    assert window.counter_energy_j == window.energy_j
    assert window.integrated_energy_j == pytest.approx(800.0, rel=0.01)
    assert window.warnings == ()


def random_curve(rng: random.Random) -> Curve:
    """A load of an accelerator: steady, stepping, rising, waving or bursting."""
    low_w, high_w = rng.uniform(60, 300), rng.uniform(300, 700)
    period_ns, phase_ns = round(10 ** rng.uniform(1.3, 3.7) * MS), rng.randrange(5 * SECOND)
    middle_w, amplitude_w = (low_w + high_w) / 2, (high_w - low_w) / 2
    burst = (Piece(period_ns, low_w), Piece(period_ns // 7, high_w), Piece(period_ns // 3, 250.0))
    return rng.choice(
        [
            Constant(high_w),
            Square(
                low_w=low_w,
                high_w=high_w,
                period_ns=period_ns,
                duty=rng.uniform(0.2, 0.8),
                phase_ns=phase_ns,
            ),
            Ramp(
                start_w=low_w,
                end_w=high_w,
                duration_ns=4 * SECOND,
                origin_ns=begin_ns(rng.uniform(2, 6)),
            ),
            Sine(
                middle_w=middle_w, amplitude_w=amplitude_w, period_ns=period_ns, phase_ns=phase_ns
            ),
            Pieces(burst, phase_ns),
        ]
    )


def random_windows(count: int) -> Iterator[tuple[WindowEnergy, float]]:
    """Windows over loads, phases and lengths from a fixed seed, with their true energies."""
    for seed in range(count // 5):
        rng = random.Random(seed)  # noqa: S311 - a simulation
        curve = random_curve(rng)
        sensor = sensor_of(rng, rng.randrange(20, 200) * MS)
        trace = recorded(curve, sensor, seconds=14, seed=seed)
        for _ in range(5):
            start_ns = begin_ns(rng.uniform(3, 8))
            end_ns = start_ns + round(rng.uniform(0.5, 4) * SECOND)
            yield estimate_window(trace, start_ns, end_ns), curve.energy_j(start_ns, end_ns)


def test_stated_uncertainties_cover_the_truth_over_many_loads() -> None:
    errors = []
    for window, truth_j in random_windows(200):
        energy_j, uncertainty_j = told(window)
        errors.append((abs(energy_j - truth_j), uncertainty_j, truth_j))
    covered = sum(error <= stated for error, stated, _ in errors) / len(errors)
    assert covered >= 0.9
    assert max(error / stated for error, stated, _ in errors) < 6
    relative = sorted(error / truth_j for error, _, truth_j in errors)
    assert relative[len(relative) // 2] < 0.01
    assert relative[int(0.95 * len(relative))] < 0.06


def test_uncertainties_are_not_wide_for_nothing() -> None:
    shares = sorted(told(window)[1] / truth_j for window, truth_j in random_windows(40))
    assert shares[len(shares) // 2] < 0.05


@settings(max_examples=40)
@given(
    curve=any_curves(),
    period_ms=st.integers(20, 200),
    phases=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    start_s=st.floats(3.0, 4.0),
    length_s=st.floats(0.5, 3.0),
)
def test_any_load_gives_an_energy_between_what_the_refreshes_allow(
    curve: Curve, period_ms: int, phases: tuple[float, float], start_s: float, length_s: float
) -> None:
    """Whatever the load: finite, and no further from the truth than two refreshes of energy."""
    period_ns = period_ms * MS
    sensor = Sensor(
        refresh_ns=period_ns,
        phase_ns=int(phases[0] * period_ns),
        power_refresh_ns=period_ns,
        power_phase_ns=int(phases[1] * period_ns),
    )
    trace = recorded(curve, sensor, seconds=9)
    start_ns = begin_ns(start_s)
    end_ns = start_ns + round(length_s * SECOND)
    window = estimate_window(trace, start_ns, end_ns)
    if not window.valid:  # a load so low that the counter hardly steps
        assert window.energy_j is None
        assert window.warnings
        return
    energy_j, uncertainty_j = told(window)
    assert math.isfinite(energy_j)
    assert math.isfinite(uncertainty_j)
    assert uncertainty_j > 0
    edge_j = max(
        curve.energy_j(at_ns + i * period_ns, at_ns + (i + 2) * period_ns)
        for at_ns in (start_ns, end_ns)
        for i in range(-4, 4)
    )
    assert abs(energy_j - curve.energy_j(start_ns, end_ns)) <= 2 * edge_j + 0.01


@settings(max_examples=25)
@given(
    cuts_s=st.lists(st.floats(3.0, 10.0), min_size=3, max_size=3).map(sorted),
)
def test_adjacent_windows_add_up_within_their_uncertainties(
    busy: Trace, cuts_s: list[float]
) -> None:
    a, b, c = map(begin_ns, cuts_s)
    if min(b - a, c - b) < 200 * MS:
        return
    (left_j, left_u), (right_j, right_u), (whole_j, whole_u) = (
        told(estimate_window(busy, *ends)) for ends in ((a, b), (b, c), (a, c))
    )
    assert abs(left_j + right_j - whole_j) <= math.hypot(left_u, right_u, whole_u)


def test_a_counter_reset_inside_the_window_is_named_and_invalid(busy: Trace) -> None:
    reset = edited(busy, energy_j=lambda t, value: value - 1000 if t > begin_ns(5) else value)
    window = estimate_window(reset, begin_ns(4), begin_ns(6))
    assert not window.valid
    assert window.energy_j is None
    assert window.power_w is None
    assert "reset" in window.warnings[0]
    assert window.integrated_energy_j == pytest.approx(
        BUSY.energy_j(begin_ns(4), begin_ns(6)), rel=0.2
    )


@pytest.mark.parametrize("at_s", [3.0, 8.0])
def test_a_counter_reset_outside_the_window_does_no_harm(busy: Trace, at_s: float) -> None:
    reset = edited(busy, energy_j=lambda t, value: value - 9000 if t > begin_ns(at_s) else value)
    energy_j, uncertainty_j = told(estimate_window(reset, begin_ns(5), begin_ns(7)))
    assert abs(energy_j - BUSY.energy_j(begin_ns(5), begin_ns(7))) <= 1.5 * uncertainty_j


@pytest.mark.parametrize(("edge", "at_s"), [("start", 4.0), ("end", 6.0)])
def test_a_gap_across_an_edge_is_named_and_invalid(busy: Trace, edge: str, at_s: float) -> None:
    gap = edited(busy, keep=lambda t: abs(t - begin_ns(at_s)) > 600 * MS)
    window = estimate_window(gap, begin_ns(4), begin_ns(6))
    assert not window.valid
    assert window.energy_j is None
    assert f"across the window's {edge}" in window.warnings[0]


def test_a_gap_inside_costs_nothing_as_the_counter_goes_on(busy: Trace) -> None:
    gap = edited(busy, keep=lambda t: not begin_ns(5) < t < begin_ns(6))
    energy_j, uncertainty_j = told(estimate_window(gap, begin_ns(4), begin_ns(7)))
    assert abs(energy_j - BUSY.energy_j(begin_ns(4), begin_ns(7))) <= 1.5 * uncertainty_j


@pytest.mark.parametrize(
    ("start_s", "end_s", "side"),
    [(-1.0, 2.0, "before the window's start"), (10.0, 13.0, "after the window's end")],
)
def test_a_window_beyond_the_trace_is_invalid(
    busy: Trace, start_s: float, end_s: float, side: str
) -> None:
    window = estimate_window(busy, begin_ns(start_s), begin_ns(end_s))
    assert not window.valid
    assert window.energy_j is None
    assert side in window.warnings[0]


@pytest.mark.parametrize("length_ns", [0, -SECOND])
def test_a_window_that_takes_no_time_is_invalid(steady: Trace, length_ns: int) -> None:
    window = estimate_window(steady, begin_ns(5), begin_ns(5) + length_ns)
    assert (window.energy_j, window.power_w, window.valid) == (None, None, False)
    assert window.warnings == ("the window ends no later than it starts",)


def test_no_readings_is_no_energy_with_a_reason(steady: Trace) -> None:
    window = estimate_window(Trace(steady.device, "simulated"), begin_ns(1), begin_ns(2))
    assert window.energy_j is None
    assert window.uncertainty_j is None
    assert window.integrated_energy_j is None
    assert not window.valid
    assert window.warnings


def test_a_counter_that_never_moves_is_no_energy(steady: Trace) -> None:
    stuck = edited(steady, energy_j=lambda _t, _value: 77.0, power_w=lambda _t, _value: None)
    window = estimate_window(stuck, begin_ns(4), begin_ns(5))
    assert window.energy_j is None
    assert "not seen to refresh" in window.warnings[0]


@pytest.mark.parametrize("curve", [Constant(400.0), BUSY])
def test_without_a_counter_power_is_integrated(curve: Curve) -> None:
    sensor = Sensor(quantum_j=None, averaging_ns=100 * MS, power_phase_ns=20 * MS)
    trace = recorded(curve, sensor, seconds=12)
    window = estimate_window(trace, begin_ns(4), begin_ns(8.5))
    energy_j, _ = told(window)
    assert window.counter_energy_j is None
    assert window.integrated_energy_j == energy_j
    assert energy_j == pytest.approx(curve.energy_j(begin_ns(4), begin_ns(8.5)), rel=0.03)


def test_a_gap_in_power_alone_is_invalid(busy: Trace) -> None:
    gap = edited(
        busy,
        keep=lambda t: not begin_ns(5) < t < begin_ns(6),
        energy_j=lambda _t, _value: None,
    )
    gap.device = replace(gap.device, capability=Capability("gpu", "integrated", None, None))
    window = estimate_window(gap, begin_ns(4), begin_ns(7))
    assert window.energy_j is None
    assert "power readings are missing" in window.warnings[0]


def test_counter_and_power_that_disagree_are_both_told(steady: Trace) -> None:
    scaled = edited(steady, power_w=lambda _, value: 1.5 * value)
    window = estimate_window(scaled, begin_ns(4), begin_ns(6))
    energy_j, _ = told(window)
    assert energy_j == pytest.approx(800.0, rel=0.01)
    assert window.integrated_energy_j == pytest.approx(1200.0, rel=0.01)
    (warning,) = window.warnings
    assert f"{window.counter_energy_j:.3f} J" in warning
    assert f"{window.integrated_energy_j:.3f} J" in warning


def test_readings_without_an_energy_are_passed_over(busy: Trace) -> None:
    rng = random.Random(5)  # noqa: S311 - a simulation
    holes = edited(busy, energy_j=lambda _, value: None if rng.random() < 0.2 else value)
    energy_j, uncertainty_j = told(estimate_window(holes, begin_ns(4), begin_ns(7)))
    assert abs(energy_j - BUSY.energy_j(begin_ns(4), begin_ns(7))) <= 1.5 * uncertainty_j


def test_jitter_and_slow_calls_are_borne() -> None:
    sensor = Sensor(phase_ns=37 * MS, jitter_ns=4.0 * MS, slow_share=0.02, slow_ns=60 * MS)
    trace = recorded(Constant(300.0), sensor, seconds=12, seed=3)
    energy_j, uncertainty_j = told(estimate_window(trace, begin_ns(4), begin_ns(6)))
    assert abs(energy_j - 600.0) <= 2 * uncertainty_j
    assert energy_j == pytest.approx(600.0, rel=0.02)


ESTIMATED = Device("CPU-0", "simulated", Capability("process", "estimated", None, None))


@given(
    watts=WATTS,
    step_ns=st.integers(5 * MS, 60 * MS),
    start_s=st.floats(1.0, 2.0),
    length_s=st.floats(0.1, 1.0),
)
def test_a_continuous_counter_is_interpolated_linearly(
    watts: float, step_ns: int, start_s: float, length_s: float
) -> None:
    trace = Trace(ESTIMATED, "simulated")
    for t_ns in range(begin_ns(0), begin_ns(4), step_ns):
        trace.append(Reading(t_ns, t_ns, watts * (t_ns - START_NS) / SECOND, None))
    window = estimate_window(trace, begin_ns(start_s), begin_ns(start_s + length_s))
    energy_j, uncertainty_j = told(window)
    truth_j = watts * (begin_ns(start_s + length_s) - begin_ns(start_s)) / SECOND
    assert energy_j == pytest.approx(truth_j, rel=1e-6)
    assert uncertainty_j < max(0.01 * truth_j, 0.001)  # its step, a millijoule
    assert window.integrated_energy_j is None


def test_the_step_of_the_counter_is_part_of_the_uncertainty(steady: Trace) -> None:
    fine = told(estimate_window(steady, begin_ns(4), begin_ns(5)))[1]
    coarse = replace(steady.device, capability=replace(steady.device.capability, resolution_j=10.0))
    rough = told(estimate_window(replace(steady, device=coarse), begin_ns(4), begin_ns(5)))[1]
    assert rough >= fine + 5.0


@pytest.mark.parametrize("averaging_ms", [25, 100])
def test_windows_from_jump_to_jump_of_a_load_that_seldom_jumps_are_told_exactly(
    averaging_ms: int,
) -> None:
    load = Pieces((Piece(1300 * MS, 620.0), Piece(2100 * MS, 330.0)), START_NS)
    sensor = Sensor(phase_ns=7 * MS, power_phase_ns=31 * MS, averaging_ns=averaging_ms * MS)
    trace = recorded(load, sensor, seconds=24)
    for number in (2, 3, 4):
        start_ns = begin_ns(3.4 * number)
        for seconds in (1.3, 3.4):
            end_ns = start_ns + round(seconds * SECOND)
            energy_j, uncertainty_j = told(estimate_window(trace, start_ns, end_ns))
            truth_j = load.energy_j(start_ns, end_ns)
            assert energy_j == pytest.approx(truth_j, rel=2e-3)
            assert abs(energy_j - truth_j) <= uncertainty_j


@pytest.mark.parametrize("slow_share", [0.05, 0.3, 1.0])
def test_calls_as_long_as_a_refresh_never_move_an_edge_by_one_unsaid(slow_share: float) -> None:
    covered, told = 0, 0
    for seed in range(8):
        curve, sensor = Constant(317.0), sensor_of(random.Random(seed))  # noqa: S311
        slow = replace(sensor, slow_share=slow_share, slow_ns=100 * MS)
        trace = recorded(curve, slow, seconds=8, seed=seed)
        for number in range(6):
            start_ns = trace.before_ns[0] + 2 * SECOND + number * 600 * MS
            window = estimate_window(trace, start_ns, start_ns + 600 * MS)
            if window.energy_j is not None and window.uncertainty_j is not None:
                told += 1
                covered += abs(window.energy_j - 317.0 * 0.6) <= window.uncertainty_j
    assert told
    assert covered >= 0.95 * told


@pytest.mark.parametrize("gave", [5.0, 0.0])
def test_a_device_whose_counter_fell_silent_is_not_told_from_its_power(
    busy: Trace, gave: float
) -> None:
    silent = edited(busy, energy_j=lambda t, value: value if t < begin_ns(gave) else None)
    window = estimate_window(silent, begin_ns(9.5), begin_ns(11))
    assert not window.valid
    assert (window.energy_j, window.uncertainty_j) == (None, None)
    assert "the energy counter gave nothing around the window" in window.warnings
    assert window.integrated_energy_j is not None
