"""How far refreshes jitter, by the counter's steps."""

from __future__ import annotations

import math
import random

import pytest

from instruments.curves import Constant, Curve, Piece, Pieces, Sine, Square
from instruments.recordings import MS, SECOND
from pytest_llem.energy.estimator.load.jitter import jitter_ns

BURST = Pieces((Piece(1300 * MS, 120.0), Piece(180 * MS, 680.0), Piece(420 * MS, 250.0)), 0)
SQUARE = Square(low_w=150.0, high_w=600.0, period_ns=SECOND, phase_ns=7 * MS)


def found_ns(curve: Curve, off_ns: float, seed: int = 0) -> float:
    """Refreshes every 100 ms that are off by so much, and thought to lie on a grid."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    instants = [number * 100 * MS + round(rng.gauss(0, off_ns)) for number in range(1, 120)]
    nodes = [
        (0.1 * number, curve.energy_j(0, instant_ns))
        for number, instant_ns in enumerate(instants, start=1)
    ]
    return jitter_ns(nodes)


@pytest.mark.parametrize("curve", [Constant(300.0), BURST, SQUARE])
@pytest.mark.parametrize("off_ms", [0.05, 0.2])
def test_it_is_told_of_loads_with_plateaus(curve: Curve, off_ms: float) -> None:
    for seed in range(5):
        assert 0.5 * off_ms * MS <= found_ns(curve, off_ms * MS, seed) <= 6 * off_ms * MS


def test_a_load_that_bends_smoothly_shows_none() -> None:
    wave = Sine(middle_w=350.0, amplitude_w=200.0, period_ns=1700 * MS, phase_ns=0)
    for curve in (Constant(300.0), BURST, wave):
        assert found_ns(curve, 0.0) < 0.02 * MS


def test_few_steps_tell_nothing() -> None:
    assert jitter_ns([(0.0, 0.0), (0.1, 30.0), (0.2, 60.0)]) == math.inf
