from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Piece, Pieces, Ramp, Sine, Square, Sum
from instruments.strategies import INSTANTS_NS, curves, single_curves

S = 1_000_000_000
MS = 1_000_000


def test_a_constant_is_watts_times_seconds() -> None:
    assert Constant(250.0).energy_j(5 * S, 7 * S) == 500.0


def test_a_square_counts_its_high_and_low_stretches() -> None:
    square = Square(low_w=100.0, high_w=300.0, period_ns=100 * MS, duty=0.25)
    assert square.energy_j(0, 100 * MS) == pytest.approx(0.025 * 300 + 0.075 * 100, rel=1e-12)
    assert square.energy_j(10 * MS, 30 * MS) == pytest.approx(0.015 * 300 + 0.005 * 100, rel=1e-12)
    assert square.power_w(24 * MS) == 300.0
    assert square.power_w(25 * MS) == 100.0


def test_a_phase_moves_the_curve_forward_into_its_period() -> None:
    square = Square(low_w=1.0, high_w=2.0, period_ns=100, duty=0.5, phase_ns=60, origin_ns=1000)
    assert square.power_w(1000) == 1.0
    assert square.power_w(1040) == 2.0


def test_a_ramp_is_level_before_and_after() -> None:
    ramp = Ramp(start_w=100.0, end_w=300.0, duration_ns=2 * S, origin_ns=10 * S)
    assert ramp.energy_j(9 * S, 13 * S) == pytest.approx(100 + 2 * 200 + 300, rel=1e-12)
    assert ramp.energy_j(10 * S + S // 2, 11 * S) == pytest.approx(0.5 * 175, rel=1e-12)
    assert [ramp.power_w(t * S) for t in (0, 11, 99)] == [100.0, 200.0, 300.0]


def test_whole_waves_of_a_sine_are_its_middle() -> None:
    sine = Sine(middle_w=200.0, amplitude_w=50.0, period_ns=S // 10, phase_ns=7 * MS)
    assert sine.energy_j(123, 3 * S + 123) == pytest.approx(600.0, rel=1e-12)
    quarter = Sine(middle_w=0.0, amplitude_w=1.0, period_ns=4 * S).energy_j(0, S)
    assert quarter == pytest.approx(2 / math.pi, rel=1e-12)


def test_pieces_repeat_and_may_slope() -> None:
    pieces = Pieces((Piece(S, 100.0), Piece(S, 100.0, 300.0)), origin_ns=5 * S)
    assert pieces.energy_j(5 * S, 7 * S) == pytest.approx(300.0, rel=1e-12)
    assert pieces.energy_j(6 * S + S // 2, 8 * S) == pytest.approx(0.5 * 250 + 100, rel=1e-12)
    assert pieces.power_w(8 * S) == 200.0 - 100.0


def test_a_millisecond_is_exact_after_a_long_uptime() -> None:
    square = Square(low_w=100.0, high_w=300.0, period_ns=MS, duty=0.3)
    late = 10**15
    assert square.energy_j(late, late + MS) == pytest.approx(0.16 * 1e-3 * 1000, rel=1e-12)


@given(curves(), INSTANTS_NS, INSTANTS_NS, INSTANTS_NS)
def test_energies_of_adjacent_windows_add_up(curve: Curve, a: int, b: int, c: int) -> None:
    whole = curve.energy_j(a, c)
    parts = curve.energy_j(a, b), curve.energy_j(b, c)
    assert whole == pytest.approx(sum(parts), rel=1e-9, abs=1e-9 * max(map(abs, parts)))
    assert curve.energy_j(c, a) == pytest.approx(-whole, rel=1e-12)


@given(single_curves(), INSTANTS_NS, st.floats(min_value=0.01, max_value=2.0))
def test_the_integral_is_that_of_the_power(curve: Curve, start_ns: int, periods: float) -> None:
    period_ns = getattr(curve, "period_ns", getattr(curve, "duration_ns", 1000))
    if isinstance(curve, Ramp):
        start_ns = curve.origin_ns - period_ns // 2
    length_ns = max(int(period_ns * periods), 1)
    steps = min(length_ns, 4000)
    middles_ns = (start_ns + length_ns * (2 * i + 1) // (2 * steps) for i in range(steps))
    mean_w = sum(map(curve.power_w, middles_ns)) / steps
    missed_w = 20 * _range_w(curve) / steps  # a midpoint misses a jump by half a step
    truth_w = curve.mean_w(start_ns, start_ns + length_ns)
    assert truth_w == pytest.approx(mean_w, rel=1e-9, abs=missed_w)


@given(single_curves(), INSTANTS_NS, st.integers(min_value=10_000, max_value=10**10))
def test_a_lag_follows_power_at_the_rate_of_its_distance(
    curve: Curve, t_ns: int, lag_ns: int
) -> None:
    """Lag · dy/dt = power - y, integrated over half a lag, and nothing is left of a beginning."""
    if isinstance(curve, Ramp):
        t_ns = curve.origin_ns + curve.duration_ns // 2
    steps = 200
    instants = [t_ns + lag_ns * i // (2 * steps) for i in range(steps + 1)]
    shown_w = [curve.lagged_w(instant, lag_ns) for instant in instants]
    length_ns = instants[-1] - t_ns
    mean_w = (sum(shown_w) - (shown_w[0] + shown_w[-1]) / 2) / steps
    gained_w = (shown_w[-1] - shown_w[0]) * lag_ns / length_ns
    missed_w = 0.01 * _range_w(curve) + 1e-6 * max(shown_w)
    assert curve.mean_w(t_ns, instants[-1]) - mean_w == pytest.approx(gained_w, abs=missed_w)
    if period_ns := getattr(curve, "period_ns", 0):
        assert curve.lagged_w(t_ns + period_ns, lag_ns) == pytest.approx(shown_w[0], rel=1e-9)


def test_after_a_jump_a_lag_closes_the_gap_exponentially() -> None:
    jump = Square(low_w=100.0, high_w=500.0, period_ns=1000 * S)
    assert jump.lagged_w(2 * S, S) == pytest.approx(500 - 400 * math.exp(-2), rel=1e-9)
    assert jump.lagged_w(499 * S, S) == pytest.approx(500.0)


def test_an_exponential_piece_approaches_its_end() -> None:
    pieces = Pieces((Piece(10 * S, 100.0, 300.0, S), Piece(S, 50.0)))
    assert pieces.power_w(S) == pytest.approx(300 - 200 / math.e)
    assert pieces.energy_j(0, S) == pytest.approx(300 - 200 * (1 - 1 / math.e))


def _range_w(curve: Curve) -> float:
    """Greatest difference between two powers of a single curve."""
    match curve:
        case Square():
            return abs(curve.high_w - curve.low_w)
        case Ramp():
            return abs(curve.end_w - curve.start_w)
        case Sine():
            return 2 * curve.amplitude_w
        case Pieces(pieces):
            powers = [piece.power_w(into) for piece in pieces for into in (0, piece.duration_ns)]
            return max(powers) - min(powers)
        case _:
            return 0.0


def test_a_sum_adds_power_and_energy() -> None:
    both = Sum((Constant(50.0), Square(low_w=0.0, high_w=100.0, period_ns=S)))
    assert both.power_w(0) == 150.0
    assert both.energy_j(0, S) == pytest.approx(100.0, rel=1e-12)
