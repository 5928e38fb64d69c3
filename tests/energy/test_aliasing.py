"""Loads in step with the readings, which look like slow ones, or like none."""

from __future__ import annotations

import random

import pytest

from instruments.curves import Constant, Piece, Pieces, Square
from instruments.recordings import MS, SECOND, Sensor, recorded
from instruments.truth import holds_truth
from pytest_llem.energy.estimator.load.aliasing import alias_of

START_NS = 1_000 * SECOND
FAST = Square(low_w=150.0, high_w=600.0, period_ns=47 * MS, duty=0.3)
SLOW = Pieces((Piece(2 * SECOND, 100.0, 700.0), Piece(2 * SECOND, 700.0, 100.0)), 0)


def nodes_of(curve: Square | Pieces | Constant) -> list[tuple[float, float]]:
    return [(0.1 * i, curve.energy_j(START_NS, START_NS + i * 100 * MS)) for i in range(40)]


def test_what_is_fast_strays_from_a_line_by_what_it_stores_for_a_while() -> None:
    found = alias_of(nodes_of(FAST), [])
    assert found is not None
    assert found.power_w == pytest.approx(285.0, rel=0.01)
    instants = [START_NS + i * MS // 3 for i in range(2000)]
    strays = [
        FAST.energy_j(START_NS, at_ns) - found.energy_j((at_ns - START_NS) / SECOND)
        for at_ns in instants
    ]
    assert found.variance_j2 == pytest.approx(
        sum(stray**2 for stray in strays) / len(strays), rel=0.3
    )


def test_at_a_node_the_energy_is_known() -> None:
    found = alias_of(nodes_of(FAST), [])
    assert found is not None
    assert found.unsure_j2(0.0, 3.0) == found.unsure_j2(1.0, 3.0) == 0.0
    assert found.unsure_j2(0.5, 3.0) == pytest.approx(found.variance_j2 + 9.0)


@pytest.mark.parametrize(
    ("nodes", "powers"),
    [
        pytest.param(nodes_of(SLOW), [], id="it strays further than anything fast can"),
        pytest.param(nodes_of(FAST), [150.0, 600.0] * 20, id="power readings show it"),
        pytest.param(nodes_of(FAST)[:5], [], id="too few nodes"),
    ],
)
def test_it_is_ruled_out(nodes: list[tuple[float, float]], powers: list[float]) -> None:
    assert alias_of(nodes, powers) is None


def test_a_steady_load_stays_as_sure_as_it_was() -> None:
    found = alias_of(nodes_of(Constant(300.0)), [])
    assert found is not None
    assert found.variance_j2 == pytest.approx(0.0, abs=1e-9)


def test_a_counter_alone_does_not_claim_to_know_what_it_cannot_show() -> None:
    rng = random.Random(7)  # noqa: S311 - a simulation
    held = []
    for period_ms in (31, 47, 53, 71, 113) * 3:
        load = Square(
            low_w=180.0, high_w=480.0, period_ns=period_ms * MS, phase_ns=rng.randrange(SECOND)
        )
        sensor = Sensor(phase_ns=rng.randrange(100 * MS), averaging_ns=None)
        trace = recorded(load, sensor, seconds=14, seed=rng.randrange(1000))
        for _ in range(10):
            start_ns = START_NS + round(rng.uniform(4, 8) * SECOND)
            end_ns = start_ns + round(rng.choice((0.5, 1.0, 2.0)) * SECOND)
            held.append(holds_truth(trace, load, start_ns, end_ns))
    assert sum(held) >= 0.9 * len(held)
