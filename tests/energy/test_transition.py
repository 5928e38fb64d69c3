"""How long power takes from one plateau to the next, and windows that end in the middle of it."""

from __future__ import annotations

import random

import pytest

from instruments.curves import Piece, Pieces
from instruments.recordings import MS, SECOND, Sensor, recorded
from instruments.truth import holds_truth
from pytest_llem.energy.estimator.counter import refresh_instants
from pytest_llem.energy.estimator.courses.transition import UNSEEN, USUAL_S, transition_of

START_NS = 1_000 * SECOND
LOW_W, HIGH_W = 180.0, 560.0


def approached(tau_ms: float, rng: random.Random) -> tuple[Pieces, list[int]]:
    """Plateaus that power approaches exponentially, and when each begins."""
    pieces, begins, at_ns, last_w = [], [], START_NS, LOW_W
    for number in range(24):
        level_w = (LOW_W, HIGH_W)[number % 2] * rng.uniform(0.9, 1.1)
        piece = Piece(rng.randrange(600, 1000) * MS, last_w, level_w, round(tau_ms * MS))
        begins.append(at_ns)
        pieces.append(piece)
        at_ns += piece.duration_ns
        last_w = level_w
    return Pieces(tuple(pieces), START_NS), begins


def held_beside(curve: Pieces, events_ns: list[int], sensor: Sensor, rng: random.Random) -> int:
    """How many windows hold the truth that end somewhere in the refresh of an event."""
    trace = recorded(curve, sensor, seconds=20, seed=rng.randrange(1000))
    held = 0
    for at_ns in events_ns:
        begun_ns = at_ns - (at_ns - sensor.phase_ns) % (100 * MS)
        start_ns = refresh_instants(trace, at_ns - SECOND, at_ns)[0]
        held += holds_truth(trace, curve, start_ns, begun_ns + rng.randrange(5, 95) * MS)
    return held


def sensor_of(averaging_ms: int | None, rng: random.Random) -> Sensor:
    return Sensor(
        phase_ns=rng.randrange(100 * MS),
        power_phase_ns=rng.randrange(100 * MS),
        averaging_ns=None if averaging_ms is None else averaging_ms * MS,
        answered=rng.random(),
    )


def means_w(curve: Pieces) -> list[float]:
    nodes_ns = range(START_NS, START_NS + 12 * SECOND, 100 * MS)
    return [curve.energy_j(at_ns, at_ns + 100 * MS) / 0.1 for at_ns in nodes_ns]


@pytest.mark.parametrize("tau_ms", [20.0, 35.0])
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
    held = 0
    for seed in range(4):
        rng = random.Random(700 + seed)  # noqa: S311 - a simulation
        curve, begins = approached((5.0, 30.0)[seed % 2], rng)
        held += held_beside(curve, begins[6:16], sensor_of(averaging_ms, rng), rng)
    assert held >= 0.9 * 40


@pytest.mark.parametrize("averaging_ms", [None, 25, 100])
@pytest.mark.parametrize("height", [0.4, 1.5])
def test_windows_that_end_beside_a_pulse_do_not_claim_to_know_where_it_was(
    averaging_ms: int | None, height: float
) -> None:
    """Power goes down and up again, or up and down, between two refreshes."""
    held = 0
    for seed in range(4):
        rng = random.Random(800 + seed)  # noqa: S311 - a simulation
        pieces, pulses_ns, at_ns = [], [], START_NS
        for _ in range(20):
            before_ns = rng.randrange(700, 1200) * MS
            pieces += [Piece(before_ns, 400.0), Piece(25 * MS, height * 400.0)]
            pulses_ns.append(at_ns + before_ns + 12 * MS)
            at_ns += before_ns + 25 * MS
        curve = Pieces(tuple(pieces), START_NS)
        held += held_beside(curve, pulses_ns[4:14], sensor_of(averaging_ms, rng), rng)
    assert held >= 0.9 * 40
