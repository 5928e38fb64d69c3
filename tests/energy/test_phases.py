"""Prefill and decode are two parts of one whole, by whichever method."""

from __future__ import annotations

import math
import random
from statistics import fmean
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
    scatter = " One window shows no scatter: its interval has that of the whole."
    assert prefill.reason == f"Mean over 1 of 5 prefill-only windows.{scatter}"
    assert decode.reason == f"The whole less the mean over 1 of 5 prefill-only windows.{scatter}"


def coverage(machine: Machine, count: int = 300, **wanted: Any) -> tuple[float, float]:
    """How often the intervals of prefill and decode hold what they are while the whole is run."""
    held = [0, 0]
    for seed in range(count):
        samples = windows(machine, seed, lengths=(), **wanted)
        wholes = [sample for sample in samples if sample.phase == "whole"]
        factor = fmean(machine.course((one.start_ns + one.end_ns) / 2e9) for one in wholes)
        for place, phase in enumerate(told(samples, "measured")[1:]):
            assert phase.energy_j is not None
            assert phase.energy_uncertainty_j is not None
            off_j = abs(phase.energy_j - factor * machine.truth_j[place])
            held[place] += off_j <= phase.energy_uncertainty_j
    return held[0] / count, held[1] / count


@pytest.mark.parametrize("wanted", [{"prefills": 1}, {"prefills": 3, "wholes": 1}])
def test_a_single_window_has_the_scatter_of_the_others(wanted: dict[str, int]) -> None:
    machine = Machine(cost, lambda _, cost_j: 0.01 * cost_j, stated=0.001)
    assert min(coverage(machine, 1000, **wanted)) >= 0.93


@pytest.mark.parametrize(("wholes", "per_s"), [(5, 0.02), (10, 0.005), (10, -0.01)])
def test_prefill_is_carried_along_a_drift_of_the_whole(wholes: int, per_s: float) -> None:
    """Its windows come seconds later, when everything costs more or less."""
    machine = Machine(
        cost, lambda _, cost_j: 0.005 * cost_j, course=lambda seconds: 1 + per_s * seconds
    )
    assert min(coverage(machine, wholes=wholes, prefills=3)) >= 0.93
    found = told(windows(machine, 0, lengths=(), wholes=wholes, prefills=3), "measured")[1:]
    assert all("drifted by" in phase.reason for phase in found)


def test_without_a_drift_intervals_hold_as_often() -> None:
    machine = Machine(cost, lambda _, cost_j: 0.005 * cost_j)
    assert min(coverage(machine, wholes=6, prefills=3)) >= 0.93
    found = told(windows(machine, 1, lengths=(), wholes=6, prefills=3), "measured")[1]
    assert "drifted" not in found.reason


def test_a_drift_that_leads_out_of_all_measure_is_not_followed() -> None:
    machine = Machine(cost, lambda _, cost_j: 1e-3 * cost_j, course=lambda s: math.exp(-s / 3))
    _, prefill, _ = told(windows(machine, lengths=(), wholes=6, prefills=3), "measured")
    assert prefill.method == "unresolved"
    assert "leads too far" in prefill.reason


def changed(samples: Sequence[WindowSample], phase: str, **to: Any) -> list[WindowSample]:
    """*samples*, with other fields in the windows of one phase."""
    return [sample.model_copy(update=to) if sample.phase == phase else sample for sample in samples]


@pytest.mark.parametrize("phases", ["auto", "measured", "regressed"])
@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ({"requests": None}, "is not known"),
        ({"output_tokens": None}, "is not known"),
        ({"output_tokens": None, "requests": None}, "is not known"),
        ({"output_tokens": 1}, "had no first token"),
        ({"requests": 0}, "had no first token"),
        ({"energy_j": 0.0}, "there are no parts"),
        ({"duration_s": 0.0}, "could not be measured"),
        ({"passes": 0}, "could not be measured"),
    ],
)
def test_a_whole_that_has_no_parts_says_why(phases: str, to: dict[str, Any], reason: str) -> None:
    _, *both = told(changed(windows(prefills=3), "whole", **to), phases)
    for phase in both:
        assert (phase.method, phase.energy_j) == ("unresolved", None)
        assert reason in phase.reason


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ({"energy_j": 1e6}, "did more than a part of the whole"),
        ({"energy_j": 0.0}, "lost in the noise"),
        ({"duration_s": 1e3}, "lost in the noise"),
        ({"duration_s": 0.0}, "No prefill-only window is valid"),
        ({"passes": 0}, "No prefill-only window is valid"),
        ({"requests": 1}, "served 0 requests each"),
        ({"output_tokens": 400}, "does not keep to the output length"),
        ({"input_tokens": 10}, "input tokens each, whole ones 64"),
    ],
)
def test_prefill_only_windows_that_are_no_prefill_of_the_whole_say_why(
    to: dict[str, Any], reason: str
) -> None:
    _, *both = told(changed(windows(lengths=(), prefills=3), "prefill", **to), "measured")
    for phase in both:
        assert (phase.method, phase.energy_j) == ("unresolved", None)
        assert reason in phase.reason


def test_prefill_only_windows_that_count_nothing_are_taken_at_their_word() -> None:
    unknown: dict[str, Any] = {"requests": None, "input_tokens": None, "output_tokens": None}
    samples = changed(windows(lengths=(), prefills=3), "prefill", **unknown)
    assert told(samples, "measured")[1].method == "measured"


@pytest.mark.parametrize(
    "to", [{"passes": 0}, {"energy_j": 0.0}, {"duration_s": 0.0}, {"requests": None}]
)
def test_windows_at_a_length_that_hold_nothing_are_left_out(to: dict[str, Any]) -> None:
    samples = windows()
    spoilt = next(number for number, one in enumerate(samples) if one.phase == "length")
    changed = [*samples]
    changed[spoilt] = samples[spoilt].model_copy(update=to)
    left = [one for number, one in enumerate(samples) if number != spoilt]
    assert told(changed, "regressed") == told(left, "regressed")
