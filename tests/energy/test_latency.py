"""Percentiles from bins: what is lost, and that passes add up."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.latency import (
    ACCURACY,
    binned,
    latencies_of,
    percentiles,
    quantile,
)

SECONDS = st.floats(1e-7, 1e4)


@given(st.lists(SECONDS, min_size=1, max_size=60), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_latencies_to_half_a_percent(
    latencies_s: list[float], share: float
) -> None:
    rank = max(1, math.ceil(share * len(latencies_s)))
    exact = sorted(latencies_s)[rank - 1]
    assert quantile(binned(latencies_s), share) == pytest.approx(exact, rel=ACCURACY * 1.001)


@given(st.lists(SECONDS, min_size=1), st.lists(SECONDS))
def test_passes_add_up_as_if_they_were_one(one: list[float], other: list[float]) -> None:
    together = latencies_of([{"itl": binned([*one, *other])}])
    assert latencies_of([{"itl": binned(one)}, {"itl": binned(other)}]) == together


@given(st.lists(SECONDS, min_size=1, max_size=60))
def test_mean_and_maximum_are_those_of_the_latencies_to_half_a_percent(
    latencies_s: list[float],
) -> None:
    found = percentiles(binned(latencies_s))
    assert found is not None
    assert found.mean_s == pytest.approx(fmean(latencies_s), rel=ACCURACY * 1.001)
    assert found.max_s == pytest.approx(max(latencies_s), rel=ACCURACY * 1.001)
    assert found.p50_s <= found.p90_s <= found.p95_s <= found.p99_s <= found.max_s


@given(st.lists(st.sampled_from([0.0, 1e-6, 2e-3, 2.0001e-3, 1.0]), max_size=60))
def test_equal_latencies_are_all_counted(latencies_s: list[float]) -> None:
    one_by_one = Counter(number for value in latencies_s for number in binned([value]))
    assert binned(latencies_s) == one_by_one


def test_what_takes_no_time_is_kept_as_the_shortest() -> None:
    found = latencies_of([{"queue": binned([0.0, 0.0, 0.0])}])
    assert found is not None
    assert found.queue is not None
    assert found.queue.count == 3
    assert 0 < found.queue.p99_s < 2e-9


def test_what_nobody_knows_is_unknown() -> None:
    assert latencies_of([]) is None
    assert latencies_of([{}, {}]) is None
    only = latencies_of([{"ttft": binned([0.5])}])
    assert only is not None
    assert only.itl is None
