"""Which factor moved, in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.decomposition import because, factor_error
from pytest_llem.baselines.prior import MEASURED
from pytest_llem.baselines.rules import parse_rule
from pytest_llem.baselines.samples import Sample, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = "energy_per_output_token_j:5%"


def said(
    rule: str = RULE, error: float = 0.005, tokens: int | None = 64, **changes: float
) -> list[str]:
    """What is said of factors that changed by these ratios."""
    factors = {name.replace("__", "."): (2.0, 2.0 * ratio) for name, ratio in changes.items()}
    nothing = Side(())
    comparison = Comparison(
        "one",
        "workload",
        parse_rule(rule),
        "measured",
        nothing,
        nothing,
        factors=factors,
        factor_errors=dict.fromkeys(factors, error),
        output_tokens=tokens,
    )
    return list(because(comparison))


@pytest.mark.parametrize(
    ("time", "power", "words"),
    [
        (1.05, 1.0, "time +5.0 %, power +0.0 %: time moved, power not surely"),
        (1.0, 1.05, "time +0.0 %, power +5.0 %: power moved, time not surely"),
        (0.992, 1.005, "time -0.8 %, power +0.5 %: neither moved by more than processes differ"),
        (1.04, 1.02, "time +4.0 %, power +2.0 %: both moved, time more"),
        (0.98, 0.95, "time -2.0 %, power -5.0 %: both moved, power more"),
        (1.10, 0.95, "time +10.0 %, power -5.0 %: both moved, against each other"),
    ],
)
def test_the_factor_that_moved_is_named_as_far_as_processes_tell(
    time: float, power: float, words: str
) -> None:
    (made,) = said(duration_s=time, power_w=power)
    assert made == f"{words}, at 64 output tokens a pass on both sides"


def test_all_of_it_reads_as_the_documentation_has_it() -> None:
    made = said(
        duration_s=1.05,
        power_w=1.001,
        prefill__duration_s=1.003,
        decode__duration_s=1.061,
        sm_clock_mhz=0.954,
    )
    docs = Path(__file__).parents[2] / "docs" / "gates.md"
    assert "; ".join(made) in docs.read_text(encoding="utf-8")


def test_a_change_that_noise_explains_is_not_called_moved() -> None:
    (made,) = said(error=0.04, duration_s=1.05, power_w=1.0)
    assert "neither moved by more than processes differ" in made


def test_phases_tell_where_time_went() -> None:
    (made,) = said(duration_s=1.1, power_w=1.0, prefill__duration_s=1.0, decode__duration_s=1.12)
    assert made.startswith("time +10.0 % (prefill +0.0 %, decode +12.0 %), power +0.0 %")


def test_of_a_phase_its_own_factors_count() -> None:
    (made,) = said(
        "decode.energy_j:5%",
        tokens=None,
        duration_s=1.0,
        power_w=1.0,
        decode__duration_s=1.1,
        decode__power_w=1.0,
    )
    assert made == "time +10.0 %, power +0.0 %: time moved, power not surely"


def test_clocks_and_temperature_are_named_where_they_moved() -> None:
    assert said(sm_clock_mhz=0.95) == ["SM clock -5.0 %"]
    assert said(sm_clock_mhz=0.995, temperature_c=1.01) == []
    assert said(temperature_c=4.0) == ["temperature 2 → 8 °C"]


def test_what_is_no_energy_has_no_factors() -> None:
    assert said("ttft_s:5%", duration_s=1.5, power_w=1.5) == []
    assert said(duration_s=1.5) == []


def a_side(values: Sequence[float]) -> Side:
    return Side((tuple(Sample((value,)) for value in values),))


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=6), st.integers(2, 5))
def test_more_of_the_same_processes_tell_more(values: list[float], times: int) -> None:
    few, many = (
        factor_error(a_side(some), a_side(some), MEASURED) for some in (values, values * times)
    )
    assert 0 < many < few or math.isclose(many, few)


def test_a_single_process_is_as_sure_as_its_profile() -> None:
    error = factor_error(a_side([1.0]), a_side([1.0]), MEASURED)
    assert error == pytest.approx(math.sqrt(2) * MEASURED.process_sd)
