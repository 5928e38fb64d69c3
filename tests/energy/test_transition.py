"""How long power takes from one plateau to the next, and windows that end in the middle of it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from instruments.curves import Piece, Pieces
from instruments.recordings import MS, SECOND, Sensor, recorded
from instruments.truth import holds_truth
from pytest_llem.energy.estimator.transition import UNSEEN, USUAL_S, transition_of

START_NS = 1_000 * SECOND
LOW_W, HIGH_W = 180.0, 560.0


def from_the_start(pieces: list[Piece]) -> Pieces:
    """That begin with the recording."""
    total_ns = sum(piece.duration_ns for piece in pieces)
    return Pieces(tuple(pieces), -START_NS % total_ns)


def approached(tau_ms: float, rng: random.Random) -> tuple[Pieces, list[int]]:
    """Plateaus with exponential approaches between, in straight pieces, and when each begins."""
    pieces, begins, at_ns, last_w = [], [], 0, LOW_W
    for number in range(24):
        level_w = (LOW_W, HIGH_W)[number % 2] * rng.uniform(0.9, 1.1)
        begins.append(at_ns)
        step_ns = round(tau_ms * MS / 4)
        for i in range(28):
            left, after = (math.exp(-k / 4) for k in (i, i + 1))
            ends = (level_w + (last_w - level_w) * share for share in (left, after))
            pieces.append(Piece(step_ns, *ends))
        rest_ns = rng.randrange(500, 900) * MS
        pieces.append(Piece(rest_ns, level_w))
        at_ns += 28 * step_ns + rest_ns
        last_w = level_w
    return from_the_start(pieces), begins


def means_w(curve: Pieces) -> list[float]:
    nodes_ns = range(START_NS, START_NS + 12 * SECOND, 100 * MS)
    return [curve.energy_j(at_ns, at_ns + 100 * MS) / 0.1 for at_ns in nodes_ns]


@pytest.mark.parametrize("tau_ms", [15.0, 30.0, 60.0])
def test_its_time_is_told_by_the_refreshes_after_jumps(tau_ms: float) -> None:
    curve, _ = approached(tau_ms, random.Random(4))  # noqa: S311 - a simulation
    found = transition_of(means_w(curve), 0.1, 0.5)
    assert 0.4 * tau_ms < 1e3 * found.constant_s < 3 * tau_ms
    assert found.share > UNSEEN


def test_jumps_that_show_no_tail_may_still_take_some_milliseconds() -> None:
    curve, _ = approached(0.05, random.Random(5))  # noqa: S311 - a simulation
    found = transition_of(means_w(curve), 0.1, 0.5)
    assert found.constant_s <= USUAL_S
    assert found.share == UNSEEN
    assert transition_of([400.0] * 40, 0.1, 0.5).constant_s == USUAL_S


@pytest.mark.parametrize("averaging_ms", [None, 25, 100])
def test_windows_that_end_in_one_hold_the_truth(averaging_ms: int | None) -> None:
    held = []
    for seed in range(4):
        rng = random.Random(700 + seed)  # noqa: S311 - a simulation
        curve, begins = approached((5.0, 30.0)[seed % 2], rng)
        averaging_ns = None if averaging_ms is None else averaging_ms * MS
        sensor = Sensor(
            phase_ns=rng.randrange(100 * MS),
            power_phase_ns=rng.randrange(100 * MS),
            averaging_ns=averaging_ns,
            answered=rng.random(),
        )
        trace = recorded(curve, sensor, seconds=20, seed=seed)
        for at_ns in begins[6:16]:
            edge_ns = START_NS + at_ns + rng.randrange(-20, 80) * MS
            held.append(holds_truth(trace, curve, edge_ns, edge_ns + SECOND))
    assert sum(held) >= 0.85 * len(held)


@pytest.mark.parametrize("averaging_ms", [None, 25, 100])
@pytest.mark.parametrize("height", [0.4, 1.5])
def test_windows_that_end_beside_a_pulse_do_not_claim_to_know_where_it_was(
    averaging_ms: int | None, height: float
) -> None:
    """Power goes down and up again, or up and down, between two refreshes."""
    held = []
    for seed in range(4):
        rng = random.Random(800 + seed)  # noqa: S311 - a simulation
        gaps_ns = [rng.randrange(400, 900) * MS for _ in range(20)]
        pieces = [
            part
            for gap_ns in gaps_ns
            for part in (Piece(gap_ns, 400.0), Piece(25 * MS, height * 400.0))
        ]
        curve = from_the_start(pieces)
        ends_ns = [sum(gaps_ns[: i + 1]) + 25 * i * MS for i in range(len(gaps_ns))]
        phase_ns = rng.randrange(100 * MS)
        sensor = Sensor(
            phase_ns=phase_ns,
            power_phase_ns=rng.randrange(100 * MS),
            averaging_ns=None if averaging_ms is None else averaging_ms * MS,
            answered=rng.random(),
        )
        trace = recorded(curve, sensor, seconds=20, seed=seed)
        for at_ns, _ in pairwise(ends_ns[6:15]):
            edge_ns = START_NS + at_ns + rng.randrange(-40, 60) * MS
            held.append(holds_truth(trace, curve, edge_ns, edge_ns + SECOND))
    assert sum(held) >= 0.85 * len(held)
