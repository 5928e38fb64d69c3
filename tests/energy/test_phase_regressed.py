"""Prefill and decode from windows at several output lengths, where the truth is known."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.lengths import POWER_W, REQUESTS, Machine
from pytest_llem.energy.figures import figures_of
from pytest_llem.energy.phases.regressed import regressed_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instruments.lengths import Cost, Scatter
    from pytest_llem.energy.measured import Phase, WindowSample
    from pytest_llem.energy.phases.split import Split

DATA_SETS = 150
COVERED = 0.93
"""Of intervals that are to hold the truth 95 times in 100."""
COVERED_BY_FEW = 0.9
"""Where so few windows have to say by what law they scatter."""


def linear(tokens: int) -> float:
    return 20 + 0.5 * tokens


def quadratic(tokens: int) -> float:
    """Every token reads a cache that is longer by one."""
    return 20 + 0.5 * tokens + 5e-4 * tokens**2


def stepped(tokens: int) -> float:
    """Another kernel from some length on."""
    return linear(tokens) + 30 * (tokens > REQUESTS * 70)


SCATTERS: dict[str, Scatter] = {
    "as much as the energy": lambda _, cost_j: 0.01 * cost_j,
    "the same at all lengths": lambda _length, _cost_j: 0.3,
    "by the root of the energy": lambda _, cost_j: 0.05 * math.sqrt(cost_j),
    "long outputs more": lambda length, cost_j: (0.02 if length > 90 else 0.002) * cost_j,
    "short outputs more": lambda length, cost_j: (0.002 if length > 60 else 0.02) * cost_j,
}


def told(samples: Sequence[WindowSample]) -> Split:
    whole = figures_of([sample for sample in samples if sample.phase == "whole"])
    return regressed_split(whole, samples)


def data_sets(machine: Machine, **windows: Any) -> list[Split]:
    rng = random.Random(20250601)  # noqa: S311 - a simulation
    return [told(machine.samples(rng, **windows)) for _ in range(DATA_SETS)]


def holds(phase: Phase, truth_j: float) -> bool:
    assert phase.energy_j is not None
    assert phase.energy_uncertainty_j is not None
    return abs(phase.energy_j - truth_j) <= phase.energy_uncertainty_j


@pytest.mark.parametrize("scatter", SCATTERS.values(), ids=SCATTERS)
@pytest.mark.parametrize("prefills", [0, 3], ids=["lengths alone", "with prefill-only windows"])
@pytest.mark.parametrize("cost", [linear, quadratic])
def test_intervals_hold_prefill_and_decode(cost: Cost, prefills: int, scatter: Scatter) -> None:
    machine = Machine(cost, scatter)
    found = [one for one in data_sets(machine, prefills=prefills) if one.resolved]
    assert len(found) >= COVERED * DATA_SETS
    prefill_j, decode_j = machine.truth_j
    assert sum(holds(one.prefill, prefill_j) for one in found) >= COVERED * len(found)
    assert sum(holds(one.decode, decode_j) for one in found) >= COVERED * len(found)


@pytest.mark.parametrize(
    "windows",
    [{"lengths": (16, 48)}, {"each": 1, "wholes": 1}, {"each": 2, "wholes": 2}],
    ids=["three lengths", "a window a length", "two windows a length"],
)
def test_intervals_hold_prefill_with_few_windows(windows: dict[str, Any]) -> None:
    machine = Machine(quadratic, SCATTERS["as much as the energy"])
    found = [one for one in data_sets(machine, **windows) if one.resolved]
    assert sum(holds(one.prefill, 20.0) for one in found) >= COVERED * len(found) > 100


@pytest.mark.parametrize("scatter", SCATTERS.values(), ids=SCATTERS)
@pytest.mark.parametrize(
    "windows",
    [{"lengths": (16, 32, 64, 96)}, {"prefills": 1}],
    ids=["four lengths", "three and prefill"],
)
def test_a_window_a_length_may_scatter_by_any_law(
    windows: dict[str, Any], scatter: Scatter
) -> None:
    machine = Machine(quadratic, scatter)
    found = [one for one in data_sets(machine, each=1, wholes=1, **windows) if one.resolved]
    prefill_j, decode_j = machine.truth_j
    assert sum(holds(one.prefill, prefill_j) for one in found) >= COVERED_BY_FEW * len(found) > 100
    assert sum(holds(one.decode, decode_j) for one in found) >= COVERED_BY_FEW * len(found)


def test_a_single_prefill_window_beside_others_may_scatter_more_than_they_do() -> None:
    machine = Machine(quadratic, SCATTERS["short outputs more"])
    found = [one for one in data_sets(machine, prefills=1) if one.resolved]
    assert sum(holds(one.prefill, 20.0) for one in found) >= COVERED * len(found) > 100


@pytest.mark.parametrize("prefills", [0, 3], ids=["lengths alone", "with prefill-only windows"])
def test_windows_at_lengths_are_carried_along_a_drift_of_the_whole(prefills: int) -> None:
    """They come seconds later, when everything costs more."""
    middle_s = 10 / 2 * quadratic(REQUESTS * 127) / POWER_W
    drifting = Machine(
        quadratic,
        SCATTERS["as much as the energy"],
        course=lambda seconds: 1 + 0.005 * (seconds - middle_s),
    )
    found = [one for one in data_sets(drifting, wholes=10, prefills=prefills) if one.resolved]
    assert len(found) >= 0.9 * DATA_SETS
    prefill_j, decode_j = drifting.truth_j
    assert sum(holds(one.prefill, prefill_j) for one in found) >= COVERED * len(found)
    assert sum(holds(one.decode, decode_j) for one in found) >= COVERED * len(found)
    assert "drifted by" in found[0].prefill.reason


def test_a_drift_that_leads_out_of_all_measure_is_not_followed() -> None:
    cooling = Machine(linear, course=lambda seconds: math.exp(-seconds / 4))
    found = told(cooling.samples(random.Random(0)))  # noqa: S311 - a simulation
    assert "leads too far" in found.prefill.reason


def test_the_interval_is_of_the_size_of_the_errors() -> None:
    found = data_sets(Machine(quadratic, SCATTERS["as much as the energy"]))
    prefills = [one.prefill for one in found if one.resolved]
    errors = sorted(abs((phase.energy_j or 0) - 20) for phase in prefills)
    widths = sorted(phase.energy_uncertainty_j or 0 for phase in prefills)
    middle = len(prefills) // 2
    assert errors[middle] < widths[middle] < 6 * errors[middle]


@given(
    st.floats(0.1, 100),
    st.floats(1e-3, 10),
    st.floats(0, 1e-3),
    st.integers(2, 40),
    st.sampled_from([0, 3]),
)
@settings(deadline=None)
def test_without_scatter_the_curve_is_found_exactly(
    prefill_j: float, token_j: float, growth: float, quarter: int, prefills: int
) -> None:
    def cost(tokens: int) -> float:
        return prefill_j + token_j * tokens + growth * tokens**2

    machine = Machine(cost, output_tokens=4 * quarter)
    lengths = [quarter, 2 * quarter, 3 * quarter]
    samples = machine.samples(random.Random(0), lengths, prefills=prefills)  # noqa: S311
    found = told(samples)
    truth_j = machine.truth_j
    assert found.prefill.energy_j == pytest.approx(truth_j[0], rel=1e-6, abs=1e-9 * sum(truth_j))
    assert found.decode.energy_j == pytest.approx(truth_j[1], rel=1e-6)
    assert found.prefill.duration_s == pytest.approx(truth_j[0] / 300, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("prefills", [0, 3])
def test_a_step_in_cost_is_noticed(prefills: int) -> None:
    found = data_sets(Machine(stepped, SCATTERS["as much as the energy"]), prefills=prefills)
    unresolved = [one for one in found if not one.resolved]
    assert len(unresolved) >= 0.9 * len(found)
    assert all("no curve of three terms" in one.prefill.reason for one in unresolved)
    assert all(one.prefill.energy_j is None is one.decode.energy_j for one in unresolved)


def test_what_could_not_be_tested_is_said() -> None:
    machine = Machine(quadratic, SCATTERS["as much as the energy"])
    rng = random.Random(3)  # noqa: S311 - a simulation
    assert "was not tested" in told(machine.samples(rng, (32, 64))).prefill.reason
    assert "was not tested" in told(machine.samples(rng, each=1, wholes=1)).prefill.reason
    assert "not tested" not in told(machine.samples(rng)).prefill.reason


def test_growing_cost_of_a_token_is_said_where_it_is_seen() -> None:
    rng = random.Random(1)  # noqa: S311 - a simulation
    calm: Scatter = lambda _, cost_j: 1e-4 * cost_j  # noqa: E731
    assert "goes from 0.5" in told(Machine(quadratic, calm).samples(rng)).decode.reason
    assert "No change" in told(Machine(linear, calm).samples(rng)).decode.reason


def test_too_few_lengths_are_said() -> None:
    rng = random.Random(2)  # noqa: S311 - a simulation
    found = told(Machine(linear).samples(rng, (64,)))
    assert not found.resolved
    assert "at lengths: 64, 128" in found.prefill.reason
    whole = figures_of([Machine(linear).window("whole", 128, rng)])
    assert "at lengths: none" in regressed_split(whole, []).prefill.reason


def test_requests_that_end_early_are_no_lengths() -> None:
    rng = random.Random(2)  # noqa: S311 - a simulation
    samples = [
        sample.model_copy(update={"output_tokens": sample.passes * REQUESTS * 7})
        for sample in Machine(linear).samples(rng)
    ]
    found = told(samples)
    assert not found.resolved
    assert "ended before" in found.prefill.reason


def test_invalid_windows_do_not_count() -> None:
    rng = random.Random(5)  # noqa: S311 - a simulation
    samples = Machine(linear, SCATTERS["as much as the energy"]).samples(rng)
    broken = samples[7].model_copy(update={"valid": False, "energy_j": 1e9})
    assert told([*samples[:7], broken, *samples[8:]]) == told([*samples[:7], *samples[8:]])


def test_a_whole_of_mixed_lengths_is_split_by_windows_at_each() -> None:
    """Requests of 32, 64, 96 and 128 tokens: the whole is no point of the curve."""
    machine = Machine(linear, lambda _, cost_j: 1e-3 * cost_j)
    rng = random.Random(6)  # noqa: S311 - a simulation
    samples = machine.samples(rng, (32, 64, 96, 128), wholes=0)
    whole_j = linear(31 + 63 + 95 + 127)
    whole = figures_of([machine.window("whole", 80, rng)])
    whole |= {"energy_j": whole_j, "energy_uncertainty_j": 0.2, "output_tokens": 320}
    found = regressed_split(whole, samples)
    assert holds(found.prefill, 20.0)
    assert holds(found.decode, whole_j - 20)
    assert found.decode.energy_uncertainty_j == pytest.approx(
        math.hypot(0.2, found.prefill.energy_uncertainty_j or 0)
    )
