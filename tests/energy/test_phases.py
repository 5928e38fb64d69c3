"""Prefill and decode are two parts of one whole, by whichever method."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instruments.lengths import Machine
from pytest_llem.energy.figures import figures_of
from pytest_llem.energy.marks import MeasurementMarks, Pass, WindowMark
from pytest_llem.energy.phases.phases import phases_of
from pytest_llem.energy.phases.split import Prefill, Told, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import Phase, WindowSample

SOME = st.floats(1e-6, 1e9)
TOLD = Told("measured", "So.", "And so.")


def cost(tokens: int) -> float:
    return 20 + 0.5 * tokens + 1e-4 * tokens**2


def stepped(tokens: int) -> float:
    return cost(tokens) + 60 * (tokens > 280)


MACHINE = Machine(cost, lambda _, cost_j: 0.005 * cost_j)


def windows(machine: Machine = MACHINE, seed: int = 0, **wanted: Any) -> list[WindowSample]:
    return machine.samples(random.Random(seed), **wanted)  # noqa: S311 - a simulation


def told(
    samples: Sequence[WindowSample], phases: Any = "auto", kind: Any = "workload", **work: Any
) -> tuple[dict[str, Any], Phase, Phase]:
    """The whole, prefill and decode."""
    known: dict[str, Any] = {"requests": 4, "input_tokens": 64, "output_tokens": 512} | work
    marks = MeasurementMarks(
        name="workload",
        kind=kind,
        warm_up=None,
        windows=tuple(
            WindowMark(
                phase=sample.phase,
                index=number,
                start_ns=number,
                end_ns=number + 1,
                passes=(Pass(start_ns=number, end_ns=number + 1, **known),),
            )
            for number, sample in enumerate(samples)
        ),
        load_end_ns=len(samples) + 1,
        phases=phases,
    )
    whole = figures_of([sample for sample in samples if sample.phase == "whole"])
    return (whole, *phases_of(marks, whole, samples, []))


@given(SOME, SOME, st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 1 - 1e-6))
def test_energies_and_durations_add_up_to_the_last_bit(
    whole_j: float, whole_s: float, share_j: float, share_s: float
) -> None:
    figures = figures_of(windows()[:1]) | {"energy_j": whole_j, "duration_s": whole_s}
    found = split(figures, Prefill(share_j * whole_j, 0.1, share_s * whole_s, 0.2), TOLD)
    assume(found.resolved)
    prefill, decode = found.prefill, found.decode
    assert (prefill.energy_j or 0) + (decode.energy_j or 0) == whole_j
    assert (prefill.duration_s or 0) + (decode.duration_s or 0) == whole_s
    assert prefill.energy_j == pytest.approx(share_j * whole_j)
    assert prefill.energy_uncertainty_j == 0.1
    assert decode.energy_uncertainty_j == 0.2


@given(st.integers(0, 10**6), st.sampled_from(["auto", "measured", "regressed"]))
def test_whatever_the_method_the_parts_are_the_whole(seed: int, phases: str) -> None:
    whole, prefill, decode = told(windows(seed=seed, prefills=3), phases)
    assume(prefill.method != "unresolved")
    assert prefill.method == decode.method
    refused = phases == "auto" and "It was not regressed" in prefill.reason
    assert prefill.method == ("measured" if phases == "measured" or refused else "regressed")
    for name in ("energy_j", "duration_s", "input_tokens", "output_tokens"):
        assert getattr(prefill, name) + getattr(decode, name) == whole[name]
    assert (prefill.requests, prefill.output_tokens) == (4, 4)
    assert decode.itl_s == whole["itl_s"]
    for phase in (prefill, decode):
        tokens_j = (phase.energy_per_output_token_j or 0) * (phase.output_tokens or 0)
        assert tokens_j == pytest.approx(phase.energy_j)


@pytest.mark.parametrize("prefill_j", [0.0, -1.0, 300.0, 400.0])
def test_a_part_that_is_no_part_is_lost_in_the_noise(prefill_j: float) -> None:
    figures = figures_of(windows()[:1]) | {"energy_j": 300.0, "duration_s": 1.0}
    found = split(figures, Prefill(prefill_j, 1.0, 0.5, 1.0), TOLD)
    assert not found.resolved
    assert "lost in the noise" in found.prefill.reason


def test_measured_intervals_hold_the_truth() -> None:
    machine = Machine(cost, lambda _, cost_j: 0.01 * cost_j)
    truth_j, held = machine.truth_j, []
    for seed in range(300):
        _, *both = told(windows(machine, seed, lengths=(), prefills=3))
        for phase, energy_j in zip(both, truth_j, strict=True):
            assert phase.method == "measured"
            assert phase.energy_j is not None
            assert phase.energy_uncertainty_j is not None
            held.append(abs(phase.energy_j - energy_j) <= phase.energy_uncertainty_j)
    assert sum(held) >= 0.93 * len(held)


def test_variances_of_whole_and_prefill_are_added_where_prefill_is_measured() -> None:
    whole, prefill, decode = told(windows(lengths=(), prefills=3))
    both = whole["energy_uncertainty_j"], prefill.energy_uncertainty_j or 0
    assert decode.energy_uncertainty_j == pytest.approx(math.hypot(*both))


def test_auto_takes_lengths_where_there_are_some_and_prefill_only_windows_else() -> None:
    assert told(windows(prefills=3))[1].method == "regressed"
    assert told(windows(lengths=(), prefills=3))[1].method == "measured"
    assert told(windows(prefills=3), "measured")[1].method == "measured"
    assert told(windows(prefills=3), "regressed")[1].method == "regressed"


def test_auto_measures_where_the_lengths_make_no_curve_and_says_so() -> None:
    bent = Machine(stepped, lambda _, cost_j: 0.005 * cost_j)
    _, prefill, decode = told(windows(bent, prefills=3))
    assert prefill.method == decode.method == "measured"
    for phase in (prefill, decode):
        assert "It was not regressed. Energy over tokens is no curve" in phase.reason
    _, prefill, _ = told(windows(bent, prefills=3), "regressed")
    assert prefill.method == "unresolved"
    _, prefill, _ = told(windows(bent))
    assert prefill.method == "unresolved"
    assert "no curve" in prefill.reason
    assert "no prefill-only windows" in prefill.reason


@pytest.mark.parametrize("phases", ["measured", "regressed"])
def test_overlap_is_said_of_phases_that_are_told_apart_by_their_cost(phases: str) -> None:
    samples = windows(prefills=3)
    continuous = told(samples, phases, batching="continuous")[1:]
    for phase in continuous:
        assert phase.method == phases
        assert "batches continuously" in phase.reason
        assert "Decode is what they cost beyond prefill alone" in phase.reason
    seen = told(samples, phases, first_token_ns=0, prefill_end_ns=10**9, itl_s=0.1)[1:]
    assert all("came up to 1 s apart" in phase.reason for phase in seen)
    together = told(samples, phases, first_token_ns=0, prefill_end_ns=10**6, itl_s=0.1)[1:]
    assert not any("apart" in phase.reason for phase in together)


@pytest.mark.parametrize(
    ("phases", "kind", "reason"),
    [
        ("none", "workload", "measurement.phases=none"),
        ("auto", "callable", "not the workload of a model"),
        ("regressed", "window", "not the workload of a model"),
    ],
)
def test_phases_that_nobody_can_tell_say_why(phases: str, kind: str, reason: str) -> None:
    _, *both = told(windows(prefills=3), phases, kind)
    for phase in both:
        assert phase.method == "unresolved"
        assert phase.energy_j is None
        assert reason in phase.reason


@pytest.mark.parametrize("phases", ["auto", "measured", "regressed", "sliced", "none"])
def test_without_a_whole_there_are_no_parts(phases: str) -> None:
    samples = [
        sample.model_copy(update={"valid": sample.phase != "whole"})
        for sample in windows(prefills=3)
    ]
    _, prefill, decode = told(samples, phases)
    assert prefill.method == decode.method == "unresolved"


def test_prefill_only_windows_that_are_invalid_say_why() -> None:
    samples = [
        sample.model_copy(update={"valid": sample.phase == "whole", "warnings": ("it was hot",)})
        for sample in windows(lengths=(), prefills=3)
    ]
    _, prefill, _ = told(samples)
    assert prefill.method == "unresolved"
    assert "No prefill-only window is valid: it was hot." in prefill.reason


def test_only_windows_that_count_are_counted() -> None:
    samples = windows(lengths=(), prefills=5)
    spoilt = [one for one in samples if one.phase == "prefill"][1:]
    samples = [one.model_copy(update={"valid": one not in spoilt}) for one in samples]
    _, prefill, decode = told(samples, "measured")
    assert prefill.reason == "Mean over 1 of 5 prefill-only windows."
    assert decode.reason == "The whole less the mean over 1 of 5 prefill-only windows."
