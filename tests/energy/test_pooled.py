"""A measurement that several processes made, as one."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.examples import sample
from pytest_llem.energy.figures import LONE_WINDOW, UNKNOWN, completed, figures_of
from pytest_llem.energy.marks import Idle
from pytest_llem.energy.measured import Measured, Phase, ScopeFigures
from pytest_llem.energy.phases.split import Prefill, Told, split
from pytest_llem.energy.pooled import pooled
from pytest_llem.energy.student import student_95

ENERGIES = st.lists(st.floats(0.1, 1e6), min_size=2, max_size=6)


def figures(energy_j: float | None, uncertainty_j: float | None = None) -> dict[str, Any]:
    if energy_j is None:
        return dict(UNKNOWN)
    known = {
        **UNKNOWN,
        "energy_j": energy_j,
        "energy_uncertainty_j": uncertainty_j,
        "duration_s": energy_j / 100,
        "output_tokens": 5,
        "requests": 1,
    }
    return completed(known)


def measured(energy_j: float | None, uncertainty_j: float | None = None, **known: Any) -> Measured:
    phase = Phase(**figures(None), method="unresolved", reason="no tokens")
    fields: dict[str, Any] = {
        "name": "workload",
        "meter": "nvml",
        "scope": "gpu",
        "method": "counter",
        "devices": ("GPU-1",),
        "prefill": phase,
        "decode": phase,
        "windows": (),
        "warm_up": None,
        "steady_state_window": (1, 2),
        "valid": True,
        "warnings": (),
    }
    return Measured(**{**figures(energy_j, uncertainty_j), **fields, **known})


@given(energies=ENERGIES)
def test_every_process_counts_the_same(energies: list[float]) -> None:
    found = pooled([measured(energy_j) for energy_j in energies])
    mean = math.fsum(energies) / len(energies)
    assert found.energy_j == pytest.approx(mean)
    assert found.energy_per_output_token_j == pytest.approx(mean / 5)
    assert found.power_w == pytest.approx(100)
    spread = student_95(len(energies) - 1) * statistics.stdev(energies) / math.sqrt(len(energies))
    assert found.energy_uncertainty_j == pytest.approx(spread, abs=1e-9 * mean)


@given(energies=ENERGIES, own=st.floats(0, 1e3))
def test_the_uncertainty_is_never_below_what_the_processes_state(
    energies: list[float], own: float
) -> None:
    found = pooled([measured(energy_j, own) for energy_j in energies])
    assert found.energy_uncertainty_j is not None
    assert found.energy_uncertainty_j >= own / math.sqrt(len(energies)) * (1 - 1e-9)


def windowed(energies: list[float], own_j: float = 0.0, tokens: int | None = 5) -> Measured:
    """A process of several windows, each of a pass, whose instrument states *own_j*."""
    samples = [
        sample(number).model_copy(
            update={
                "passes": 1,
                "requests": 1,
                "output_tokens": tokens,
                "energy_j": energy_j,
                "energy_uncertainty_j": own_j,
            }
        )
        for number, energy_j in enumerate(energies)
    ]
    return measured(1.0, windows=tuple(samples)).model_copy(update=figures_of(samples))


@pytest.mark.parametrize("windows", [2, 3, 10])
def test_windows_of_many_processes_tell_together_how_they_scatter(windows: int) -> None:
    """Two windows say next to nothing of one process; of twenty processes they say enough."""
    rng = random.Random(windows)  # noqa: S311 - a simulation
    processes = [windowed([rng.gauss(100, 2) for _ in range(windows)]) for _ in range(20)]
    found = pooled(processes)
    known = 1.96 * 2 / math.sqrt(20 * windows)
    assert 0.5 * known < (found.energy_uncertainty_j or 0) < 1.6 * known
    assert 0.5 * known < 5 * (found.energy_per_output_token_uncertainty_j or 0) < 1.6 * known


def test_one_process_that_lost_most_of_its_windows_does_not_spoil_the_others() -> None:
    rng = random.Random(1)  # noqa: S311 - a simulation
    whole = [windowed([rng.gauss(100, 1) for _ in range(10)]) for _ in range(9)]
    lost = windowed([99.0, 101.0])
    assert (lost.energy_uncertainty_j or 0) > 12
    assert (pooled([*whole, lost]).energy_uncertainty_j or 0) < 0.5


def test_processes_that_agree_by_chance_have_what_their_windows_scatter_by() -> None:
    process = windowed([96.0, 98.0, 100.0, 102.0, 104.0])
    alone = process.energy_uncertainty_j or 0
    both = pooled([process, process]).energy_uncertainty_j or 0
    assert both == pytest.approx(alone * student_95(8) / student_95(4) / math.sqrt(2))


def test_what_the_instrument_states_beyond_the_scatter_of_windows_stays() -> None:
    process = windowed([100.0, 100.0, 100.0], own_j=1.0)
    assert pooled([process] * 4).energy_uncertainty_j == pytest.approx(0.5)


@pytest.mark.parametrize("tokens", [None, 0])
def test_windows_without_tokens_are_pooled_as_others_are(tokens: int | None) -> None:
    found = pooled([windowed([100.0, 102.0], tokens=tokens)] * 3)
    assert found.energy_j == 101
    assert found.energy_per_output_token_j is None


@pytest.mark.parametrize("between", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("processes", [2, 3, 8])
def test_the_interval_over_processes_of_unlike_numbers_of_windows_holds(
    processes: int, between: float
) -> None:
    """The truth is 100 J; processes differ by *between* and windows by 2 %."""
    rng = random.Random(f"{processes} {between}")  # noqa: S311 - a simulation
    held = 0
    for _ in range(300):
        found = pooled(
            [
                windowed([mean + rng.gauss(0, 2) for _ in range(rng.randint(1, 12))])
                for mean in (rng.gauss(100, between) for _ in range(processes))
            ]
        )
        held += abs((found.energy_j or 0) - 100) <= (found.energy_uncertainty_j or 0)
    assert held / 300 > 0.92


def beyond_idling(energy_j: float, own_j: float, idle_w: float, idle_u_w: float) -> Measured:
    seconds = energy_j / 100
    return measured(
        energy_j,
        own_j,
        idle=Idle(power_w=idle_w, power_uncertainty_w=idle_u_w, reason="So."),
        net_energy_j=energy_j - idle_w * seconds,
        net_energy_uncertainty_j=math.hypot(own_j, idle_u_w * seconds),
    )


@pytest.mark.parametrize("processes", [2, 5, 20])
def test_the_error_of_idle_power_is_that_of_all_processes_and_does_not_average_out(
    processes: int,
) -> None:
    found = pooled([beyond_idling(100.0, 0.1, 20.0, 1.0)] * processes)
    assert found.net_energy_j == 80.0
    assert found.net_energy_uncertainty_j is not None
    assert 1.0 <= found.net_energy_uncertainty_j < 1.01


def test_idle_power_of_several_processes_is_their_mean_or_unknown() -> None:
    one, other = beyond_idling(100.0, 0.1, 20.0, 1.0), beyond_idling(100.0, 0.1, 22.0, 2.0)
    both = pooled([one, other]).idle
    assert both is not None
    assert both.power_w == 21.0
    assert both.power_uncertainty_w == pytest.approx(student_95(1))
    alike = pooled([one, one]).idle
    assert (alike and alike.power_uncertainty_w) == 1.0
    lost = other.model_copy(update={"idle": Idle(reason="Lost."), "net_energy_j": None})
    assert pooled([one, lost]).idle == Idle(reason="Lost.")
    assert pooled([one, lost]).net_energy_j is None


def test_one_process_is_itself() -> None:
    one = measured(3.0, 0.1)
    assert pooled([one]) is one


def test_what_one_process_does_not_know_is_unknown() -> None:
    found = pooled([measured(3.0), measured(None, valid=False, warnings=("lost",))])
    assert found.energy_j is None
    assert not found.valid
    assert found.warnings == ("lost",)


def test_processes_of_a_window_each_show_how_they_scatter() -> None:
    found = pooled([measured(3.0, 0.1, warnings=(LONE_WINDOW, "hot")) for _ in range(2)])
    assert found.warnings == ("hot",)


def test_phases_told_apart_differently_are_not_resolved() -> None:
    phases = [
        Phase(**figures(2.0), method=method, reason="") for method in ("measured", "regressed")
    ]
    both = pooled([measured(4.0, decode=phase) for phase in phases])
    assert (both.decode.energy_j, both.decode.method) == (None, "unresolved")
    assert "different methods: measured, regressed" in both.decode.reason
    same = pooled([measured(4.0, decode=phases[0]), measured(4.0, decode=phases[0])])
    assert (same.decode.energy_j, same.decode.method) == (2.0, "measured")


PARTS = st.tuples(st.floats(0.1, 1e6), st.floats(1e-3, 1 - 1e-3), st.integers(2, 9))


def process(energy_j: float, share: float, tokens: int, method: Any = "measured") -> Measured:
    """One that spends a *share* of its energy and time on the prefill of one request."""
    whole = figures(energy_j) | {"output_tokens": tokens, "input_tokens": 3}
    found = split(whole, Prefill(share * energy_j, 0.1, share, 0.1), Told(method, "So.", "Thus."))
    assert found.resolved
    return measured(energy_j, output_tokens=tokens).model_copy(
        update={"prefill": found.prefill, "decode": found.decode, "duration_s": whole["duration_s"]}
    )


@given(st.lists(PARTS, min_size=2, max_size=6))
def test_pooled_phases_add_up_to_the_pooled_whole(parts: list[tuple[float, float, int]]) -> None:
    processes = [
        process(energy_j, share * min(energy_j / 100, 1), tokens)
        for energy_j, share, tokens in parts
    ]
    found = pooled(processes)
    for name in ("energy_j", "duration_s", "output_tokens"):
        assert getattr(found.prefill, name) + getattr(found.decode, name) == getattr(found, name)
    mean_j = math.fsum(one.decode.energy_j or 0 for one in processes) / len(processes)
    assert found.decode.energy_j == pytest.approx(mean_j)
    tokens_j = (found.decode.energy_per_output_token_j or 0) * (found.decode.output_tokens or 0)
    assert tokens_j == pytest.approx(found.decode.energy_j)
    assert (found.decode.method, found.decode.reason) == ("measured", "Thus.")


def test_a_phase_that_a_process_did_not_resolve_leaves_both_unresolved_and_says_why() -> None:
    """One output token in one process only: its whole is prefill, and a mean would be neither."""
    known = process(400.0, 0.5, 9)
    all_prefill = measured(
        100.0,
        prefill=Phase(**figures(100.0), method="measured", reason="All is prefill."),
        decode=Phase(**figures(None), method="unresolved", reason="Nothing to decode."),
    )
    found = pooled([known, all_prefill])
    for phase in (found.prefill, found.decode):
        assert (phase.energy_j, phase.method) == (None, "unresolved")
    assert "1 of 2: All is prefill." in found.prefill.reason
    assert "Only 1 of 2 processes told it apart." in found.decode.reason
    assert "1 of 2: Nothing to decode." in found.decode.reason


@given(energies=ENERGIES)
def test_processes_that_are_all_prefill_are_so_together(energies: list[float]) -> None:
    nothing = Phase(**figures(None), method="unresolved", reason="Nothing to decode.")
    found = pooled(
        [
            measured(
                energy_j,
                prefill=Phase(**figures(energy_j), method="measured", reason="All is prefill."),
                decode=nothing,
            )
            for energy_j in energies
        ]
    )
    assert found.prefill.energy_j == found.energy_j
    assert found.prefill.duration_s == found.duration_s
    assert found.decode == nothing


def test_what_unlike_processes_say_of_a_phase_is_all_said() -> None:
    processes = [process(400.0, 0.5, 9), process(400.0, 0.5, 9)]
    less = processes[1].prefill.model_copy(update={"reason": "Mean over 1 of 3 windows."})
    processes[1] = processes[1].model_copy(update={"prefill": less})
    reason = pooled(processes).prefill.reason
    assert reason == "1 of 2: So. 1 of 2: Mean over 1 of 3 windows."


def test_scopes_that_every_process_read_are_pooled_too() -> None:
    def beside(scope: str, energy_j: float) -> ScopeFigures:
        kind: dict[str, Any] = {"meter": "rapl", "scope": scope, "method": "counter"}
        return ScopeFigures(**figures(energy_j), **kind, devices=("cpu",), warnings=())

    found = pooled(
        [
            measured(4.0, beside=(beside("package", 1.0), beside("dram", 1.0))),
            measured(4.0, beside=(beside("package", 2.0),)),
        ]
    )
    assert [(one.scope, one.energy_j) for one in found.beside] == [("package", 1.5)]
