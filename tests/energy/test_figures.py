"""Figures of a pass, a token and a request, from windows whose passes need not be the same work."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instruments.examples import sample
from pytest_llem.energy.figures import completed, figures_of
from pytest_llem.energy.measured import Measured
from pytest_llem.energy.pooled import pooled
from pytest_llem.energy.student import mean_and_half_width_95, ratio_and_half_width_95

if TYPE_CHECKING:
    from pytest_llem.energy.measured import WindowSample

PASSES = st.lists(st.lists(st.integers(1, 2000), min_size=1, max_size=6), min_size=1, max_size=6)
"""Tokens of passes, by window."""


def windows(
    tokens: list[list[int]], token_j: float = 0.3, stated: float = 0.0
) -> list[WindowSample]:
    """Windows of passes of so many tokens, each of which takes this energy and a millisecond."""
    return [
        sample(number).model_copy(
            update={
                "passes": len(own),
                "requests": len(own),
                "output_tokens": sum(own),
                "energy_j": token_j * sum(own),
                "energy_uncertainty_j": stated * token_j * sum(own),
                "duration_s": sum(own) / 1000,
            }
        )
        for number, own in enumerate(tokens)
    ]


@given(tokens=PASSES)
def test_energy_of_a_token_is_told_whatever_passes_it_came_in(tokens: list[list[int]]) -> None:
    found = figures_of(windows(tokens))
    assert found["energy_per_output_token_j"] == pytest.approx(0.3)
    assert found["energy_per_output_token_uncertainty_j"] == pytest.approx(0, abs=1e-9)
    assert found["output_tokens_per_s"] == pytest.approx(1000)
    assert found["power_w"] == pytest.approx(300)


@given(tokens=PASSES)
def test_figures_of_a_pass_are_those_of_all_passes_together(tokens: list[list[int]]) -> None:
    found = figures_of(windows(tokens))
    passes = [own for each in tokens for own in each]
    assert found["energy_j"] == pytest.approx(0.3 * sum(passes) / len(passes))
    assert found["duration_s"] == pytest.approx(sum(passes) / 1000 / len(passes))
    assert found["energy_per_request_j"] == pytest.approx(found["energy_j"])


@given(energies=st.lists(st.floats(0.1, 1e6), min_size=1, max_size=8), amount=st.integers(1, 50))
def test_of_equal_amounts_it_is_the_interval_of_a_mean(energies: list[float], amount: int) -> None:
    found = ratio_and_half_width_95(energies, [amount] * len(energies))
    mean, half_width = mean_and_half_width_95([energy / amount for energy in energies])
    assert found[0] == pytest.approx(mean)
    assert (found[1] is None) == (half_width is None)
    assert found[1] is None or found[1] == pytest.approx(half_width, abs=1e-9 * mean)


def test_its_interval_holds_the_truth_where_lengths_are_drawn() -> None:
    held, rng = 0, random.Random(5)  # noqa: S311 - a simulation
    for _ in range(1000):
        amounts = [sum(rng.lognormvariate(5, 1) for _ in range(8)) for _ in range(6)]
        values = [0.3 * amount * rng.gauss(1, 0.02) for amount in amounts]
        ratio, half_width = ratio_and_half_width_95(values, amounts)
        assert half_width is not None
        held += abs(ratio - 0.3) <= half_width
    assert held / 1000 == pytest.approx(0.95, abs=0.03)


@given(tokens=PASSES)
def test_no_interval_is_narrower_than_what_the_instrument_states(tokens: list[list[int]]) -> None:
    found = figures_of(windows(tokens, stated=0.01))
    energies = [sum(own) for own in tokens]
    least = 0.01 * math.hypot(*energies) / sum(energies)
    assert found["energy_per_output_token_uncertainty_j"] >= 0.3 * least * (1 - 1e-9)
    assert found["energy_uncertainty_j"] >= least * found["energy_j"] * (1 - 1e-9)


def test_requests_that_are_no_whole_number_a_pass_are_not_rounded() -> None:
    served = [
        one.model_copy(update={"requests": requests})
        for one, requests in zip(windows([[10, 10], [10, 10, 10]]), (1, 3), strict=True)
    ]
    assert figures_of(served)["energy_per_request_j"] == pytest.approx(0.3 * 50 / 4)


@given(counts=st.tuples(PASSES, PASSES), stated=st.floats(0, 0.05))
def test_processes_that_agree_on_a_token_agree_together(
    counts: tuple[list[list[int]], list[list[int]]], stated: float
) -> None:
    each = [figures_of(windows(tokens, stated=stated)) for tokens in counts]
    assume(all(one["energy_uncertainty_j"] is not None for one in each))
    phase = {"method": "unresolved", "reason": "no phases", **completed(dict.fromkeys(each[0]))}
    found = pooled(
        [
            Measured.model_validate(
                {
                    **one,
                    "name": "workload",
                    "meter": "nvml",
                    "scope": "gpu",
                    "method": "counter",
                    "devices": ("GPU-1",),
                    "prefill": phase,
                    "decode": phase,
                    "windows": (),
                    "warm_up": None,
                    "steady_state_window": None,
                    "valid": True,
                    "warnings": (),
                }
            )
            for one in each
        ]
    )
    assert found.energy_per_output_token_j == pytest.approx(0.3)
    assert found.energy_per_output_token_uncertainty_j == pytest.approx(
        math.hypot(*(one["energy_per_output_token_uncertainty_j"] for one in each)) / 2, abs=1e-9
    )
    assert found.output_tokens_per_s == pytest.approx(1000)
