"""Requests without end, and when they come."""

from __future__ import annotations

from itertools import islice, pairwise
from statistics import mean, pvariance

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.workloads.arrivals import arrival_times_s
from pytest_llem.workloads.batch import build_requests
from pytest_llem.workloads.traffic import traffic_requests


class Tokens:
    vocabulary_size = 500
    special_token_ids = frozenset({0})

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


def gaps(rate: float, burstiness: float, seed: int, count: int = 20_000) -> list[float]:
    times = list(islice(arrival_times_s(rate, burstiness, seed), count))
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_gaps_have_the_mean_and_the_variance_of_their_distribution(burstiness: float) -> None:
    found = gaps(50, burstiness, 3)
    assert mean(found) == pytest.approx(1 / 50, rel=0.05)
    assert pvariance(found) == pytest.approx(1 / 50**2 / burstiness, rel=0.15)


def test_arrivals_are_those_of_the_seed() -> None:
    assert gaps(9, 1, 5, 50) == gaps(9, 1, 5, 50) != gaps(9, 1, 6, 50)
    assert list(islice(arrival_times_s(200, 1.0, 0), 2)) == pytest.approx(
        [0.00311915, 0.01212796], rel=1e-5
    )


def test_traffic_begins_with_the_batch_and_repeats_no_prompt() -> None:
    config = ExperimentConfig(batch_size=3, input_tokens=20, output_tokens=7)
    found = list(islice(traffic_requests(config, Tokens()), 200))
    assert found[:3] == build_requests(config, Tokens())
    assert len({one.prompt_token_ids for one in found}) == 200
    assert {one.output_tokens for one in found} == {7}


def test_requests_of_an_open_loop_know_when_they_come() -> None:
    config = ExperimentConfig.model_validate({"traffic": {"rate_per_s": 5}, "seed": 4})
    found = list(islice(traffic_requests(config, Tokens()), 9))
    assert [one.arrival_s for one in found] == list(islice(arrival_times_s(5, 1.0, 4), 9))
