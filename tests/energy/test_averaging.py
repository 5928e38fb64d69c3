"""What power readings average over, as far as the counter tells it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.curves import Piece, Pieces
from pytest_llem.energy.estimator.load.averaging import unexplained_share
from pytest_llem.energy.estimator.sample import Sample

MS = 1_000_000
SECOND = 1000 * MS
PERIOD_S = 0.1
SECONDS = 8


def load(seed: int) -> Pieces:
    """Power that changes every now and then."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    pieces = (Piece(rng.randrange(80, 900) * MS, rng.uniform(90, 690)) for _ in range(40))
    return Pieces(tuple(pieces), 0)


def share(curve: Pieces, averaging_s: float, asked_s: float, phase_ms: int = 37) -> float | None:
    """Of readings that average over the one, when the other is asked for."""
    count = round(SECONDS / PERIOD_S)
    nodes = [(i * PERIOD_S, curve.energy_j(0, round(i * PERIOD_S * SECOND))) for i in range(count)]
    over_ns = round(averaging_s * SECOND)
    samples = [
        Sample(end_ns, curve.energy_j(end_ns - over_ns, end_ns) / averaging_s)
        for end_ns in range(round(SECOND + phase_ms * MS), (SECONDS - 1) * SECOND, 100 * MS)
    ]
    return unexplained_share(nodes, samples, 0.0, asked_s)


@given(st.integers(0, 10_000), st.integers(1, 99))
@settings(max_examples=40)
def test_the_mean_over_many_refreshes_is_found_where_it_is_shown(seed: int, phase_ms: int) -> None:
    found = share(load(seed), 1.0, 1.0, phase_ms)
    beside = share(load(seed), 1.0, 0.1, phase_ms)
    assert found is not None
    assert beside is not None
    assert 4 * found < beside


@given(st.integers(0, 10_000), st.sampled_from([0.025, 0.1]))
@settings(max_examples=40)
def test_and_not_where_it_is_not(seed: int, averaging_s: float) -> None:
    found = share(load(seed), averaging_s, 1.0)
    beside = share(load(seed), averaging_s, 0.1)
    assert found is not None
    assert beside is not None
    assert beside < 2.5 * found


@pytest.mark.parametrize("count", [0, 9])
def test_few_readings_say_nothing(count: int) -> None:
    nodes = [(0.1 * i, 30.0 * i + i % 2) for i in range(60)]
    samples = [Sample(2 * SECOND + 100 * MS * i, 300.0 + i) for i in range(count)]
    assert unexplained_share(nodes, samples, 0.0, 1.0) is None


def test_readings_that_are_all_alike_say_nothing() -> None:
    nodes = [(0.1 * i, 30.0 * i) for i in range(60)]
    samples = [Sample(2 * SECOND + 100 * MS * i, 300.0) for i in range(30)]
    assert unexplained_share(nodes, samples, 0.0, 1.0) is None
