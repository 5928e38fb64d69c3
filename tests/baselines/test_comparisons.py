"""From results and a stored baseline to comparisons and their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.file import Entry
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.rules import parse_rule, parse_rules
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.energy.measured import Figures, TotalFigures
from pytest_llem.errors import ConfigError
from pytest_llem.results.schema import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

GATE = "energy_per_output_token_j:5%"
H100 = "NVIDIA H100 80GB HBM3"
OTHER_CARD = (DeviceFacts(uuid="GPU-b", name=H100, index=0, power_limit_w=700.0),)
A100 = (DeviceFacts(uuid="GPU-c", name="NVIDIA A100", index=0, power_limit_w=400.0),)


@pytest.fixture
def verdict(tmp_path: Path, make_environment: MakeEnvironment) -> Callable[..., list[Judgement]]:
    """Judge results against the baseline that earlier results were stored as."""

    def judged(
        before: list[ExperimentResult],
        now: list[ExperimentResult],
        *gates: str,
        **environment: Any,
    ) -> list[Judgement]:
        store = BaselineStore(tmp_path)
        if before:
            store.update(before, make_environment())
        later = make_environment(**environment)
        entry = store.find(now[0], later)
        return judge(compare(now, entry, parse_rules(gates), later))

    return judged


def test_the_same_again_passes(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    repeats = [make_result(repeat=repeat) for repeat in range(5)]
    (made,) = verdict(repeats, repeats, GATE)
    assert made.verdict == "pass"
    assert made.gated
    assert made.metric == "energy_per_output_token_j"
    assert made.measurement == "workload"
    assert made.change == pytest.approx(0, abs=1e-6)


def test_a_regression_fails_and_says_what_moved(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    packages = {"torch": "2.13.0", "transformers": "5.23.0"}
    (made,) = verdict([make_result([0.4] * 3)], [make_result([0.6] * 3)], GATE, packages=packages)
    assert made.verdict == "regressed"
    assert made.failed(strict=False)
    assert made.explanation.startswith("0.400 → 0.600 J/token, +50.0 % [")
    assert "at tolerance 5 %" in made.explanation
    assert "1 process against 1, 90 % interval" in made.explanation
    assert "time +50.0 % (prefill +50.0 %, decode +50.0 %), power +0.0 %" in made.explanation
    assert "transformers 5.22.0 → 5.23.0" in made.explanation
    assert "assumed: 1 % between processes, 1 % between sessions" in made.explanation
    assert "\n" not in made.explanation


def test_an_improvement_says_that_the_baseline_is_behind(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([make_result([0.4] * 3)], [make_result([0.2] * 3)], GATE)
    assert made.verdict == "improved"
    assert "--llem-update-baselines refreshes it" in made.explanation


def test_what_cannot_be_told_says_what_could_have_been(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([make_result([0.4] * 3)], [make_result([0.42] * 3)], GATE)
    assert made.verdict == "inconclusive"
    assert made.minimum_detectable_change is not None
    assert f"could have shown {100 * made.minimum_detectable_change:+.1f} %" in made.explanation


def test_without_a_gate_the_change_is_shown_and_nothing_fails(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([make_result([0.4] * 3)], [make_result([0.8] * 3)])
    assert made.change == pytest.approx(1.0)
    assert not made.gated
    assert not made.failed(strict=True)
    assert "(not gated)" in made.explanation


def test_without_a_gate_work_without_tokens_is_compared_by_its_energy(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., Any],
) -> None:
    window = make_window(0.4, output_tokens=None, requests=None, input_tokens=None)
    result = make_result(measurements=(make_measurement([0.4], windows=(window,)),))
    (made,) = verdict([result], [result])
    assert made.metric == "energy_j"
    assert made.verdict != "incomparable"


def test_without_a_baseline_it_is_new(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([], [make_result([0.4])], GATE)
    assert made.verdict == "new"
    assert made.explanation == "0.400 J/token; no baseline yet, --llem-update-baselines stores one"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "failed", "message": "assert"}, "in this run it failed: assert"),
        ({"measured": {"valid": False, "warnings": ("throttled",)}}, "invalid: throttled"),
        ({"measurement_methodology": None, "measurements": ()}, "nothing was measured"),
        ({"measured": {"output_tokens": 32}}, "output tokens per pass of 'workload' 64 → 32"),
        ({"methodology": {"devices": A100}}, "device NVIDIA H100 80GB HBM3 → NVIDIA A100"),
        ({"methodology": {"method": "estimated"}}, "method counter → estimated"),
    ],
)
def test_what_cannot_be_compared_says_why(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    changes: dict[str, Any],
    said: str,
) -> None:
    (made,) = verdict([make_result()], [make_result(**changes)], GATE)
    assert made.verdict == "incomparable"
    assert said in made.explanation
    assert made.change is None
    assert not made.failed(strict=False)
    assert made.failed(strict=True)


def test_one_failed_process_keeps_the_others_from_being_compared(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    now = [make_result(), make_result(repeat=1, outcome="crashed")]
    (made,) = verdict([make_result()], now, GATE)
    assert made.verdict == "incomparable"
    assert "process 1: it crashed" in made.explanation


def test_an_unknown_metric_is_not_compared(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([make_result()], [make_result()], "decode.ttft_s:5%")
    assert made.verdict == "incomparable"
    assert (
        made.explanation == "decode.ttft_s was not compared: decode.ttft_s is unknown in this run"
    )


def test_another_card_of_the_model_widens_the_interval_and_is_named(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    same, other = (
        verdict([make_result([0.4] * 3)], [make_result([0.4] * 3, **changes)], GATE)[0]
        for changes in ({}, {"methodology": {"devices": OTHER_CARD}})
    )
    assert same.verdict == "pass"
    assert other.verdict == "inconclusive"
    assert "another card of the same model" in other.explanation
    assert "3.5 % between cards" in other.explanation


def test_every_rule_is_judged_on_every_measurement_that_has_its_metric(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., Any],
) -> None:
    tokenless = make_measurement(
        [0.4], name="load", windows=(make_window(0.4, output_tokens=None, ttft_s=None),)
    )
    result = make_result(measurements=(make_measurement([0.4]), tokenless))
    gates = (GATE, "ttft_s:+20ms", "energy_j:5%", "decode.energy_per_output_token_j:10%")
    made = verdict([result], [result], *gates)
    assert [(one.measurement, one.metric) for one in made] == [
        ("workload", "energy_per_output_token_j"),
        ("workload", "ttft_s"),
        ("workload", "energy_j"),
        ("workload", "decode.energy_per_output_token_j"),
        ("load", "energy_j"),
        ("load", "decode.energy_per_output_token_j"),
    ]
    assert {one.verdict for one in made} <= {"pass", "inconclusive"}


def test_a_measurement_that_the_baseline_lacks_is_new(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
) -> None:
    both = (make_measurement([0.4]), make_measurement([0.4], name="other"))
    made = verdict([make_result()], [make_result(measurements=both)], GATE)
    assert [one.verdict for one in made] == ["pass", "new"]


def test_a_metric_that_the_baseline_lacks_is_not_compared(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., Any],
) -> None:
    before = make_measurement([0.4], windows=(make_window(0.4, ttft_s=None),))
    (made,) = verdict([make_result(measurements=(before,))], [make_result()], "ttft_s:5%")
    assert made.verdict == "incomparable"
    assert "ttft_s is unknown in the baseline" in made.explanation


def test_a_slower_clock_and_a_warmer_card_are_named(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
    make_window: Callable[..., Any],
) -> None:
    warm = make_measurement(
        [0.4], windows=(make_window(0.4, sm_clock_mhz=1782.0, temperature_c=74.0),)
    )
    (made,) = verdict([make_result()], [make_result(measurements=(warm,))], GATE)
    assert "SM clock -10.0 %; temperature 60 → 74 °C" in made.explanation


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("ttft_s:+20ms", "20.0 → 20.0 ms"),
        ("energy_j:5%", "25.6 → 25.6 J"),
        ("power_w:5%", "500 → 500 W"),
        ("output_tokens_per_s:5%", "1250 → 1250 tokens/s"),
        ("prefill.duration_s:5%", "prefill 12.8 → 12.8 ms"),
    ],
)
def test_amounts_have_a_unit_that_reads_well(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult, gate: str, said: str
) -> None:
    result = make_result([0.4])
    (made,) = verdict([result], [result], gate)
    assert made.explanation.startswith(f"{said}, ")


def test_sessions_that_do_not_compare_are_left_out_of_the_history(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    sessions = []
    for number, meter in enumerate(("zeus", "nvml", "nvml")):
        result = make_result([0.4 if meter == "nvml" else 9.0], methodology={"meter": meter})
        store = BaselineStore(tmp_path / str(number))
        store.update([result], make_environment())
        entry = store.find(result, make_environment())
        assert entry is not None
        sessions += entry.sessions
    history = Entry(label="", config={}, own_arguments={}, sessions=tuple(sessions))
    (one,) = compare([make_result()], history, [parse_rule(GATE)], make_environment())
    assert one.refuse == ()
    assert one.baseline is not None
    assert one.baseline.values == (0.4, 0.4)


def test_results_of_two_experiments_are_not_one_comparison(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [make_result(), make_result(config={"batch_size": 2})]
    with pytest.raises(ConfigError, match="not about 2"):
        compare(results, None, parse_rules([GATE]), make_environment())


def test_what_only_other_days_could_tell_is_said(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    before, now = ([make_result([value] * 5, repeat=n) for n in range(30)] for value in (0.4, 0.41))
    (made,) = verdict(before, now, "energy_per_output_token_j:2%")
    assert made.verdict == "inconclusive"
    assert "no number of processes would show less than +" in made.explanation
    assert "since days differ: measure both sides in one session" in made.explanation


def test_what_only_the_baseline_knows_of_a_further_measurement_is_incomparable(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
) -> None:
    both = (make_measurement([0.4] * 3), make_measurement([0.2] * 3, name="second"))
    before, now = make_result(measurements=both), make_result(measurements=both[:1])
    first, second = verdict([before], [now], GATE)
    assert first.verdict != "incomparable"
    assert second.verdict == "incomparable"
    assert second.measurement == "second"
    assert "energy_per_output_token_j is unknown in this run" in second.explanation
    assert second.failed(strict=True)
    assert not second.failed(strict=False)


def test_what_only_this_run_knows_is_incomparable_or_new(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
) -> None:
    both = (make_measurement([0.4] * 3), make_measurement([0.2] * 3, name="second"))
    before, now = make_result(measurements=both[:1]), make_result(measurements=both)
    _, second = verdict([before], [now], GATE)
    assert second.verdict == "new"


def test_without_a_gate_nothing_is_said_of_what_this_run_has_not(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
) -> None:
    both = (make_measurement([0.4] * 3), make_measurement([0.2] * 3, name="second"))
    made = verdict([make_result(measurements=both)], [make_result(measurements=both[:1])])
    assert [one.measurement for one in made] == ["workload"]


def a_total(make_measurement: Callable[..., Measured], *meters: str) -> Measured:
    """A measurement whose total adds a GPU and a CPU that these meters read."""
    plain = make_measurement([0.4] * 3)
    figures = {name: getattr(plain, name) for name in Figures.model_fields}
    total = TotalFigures(**figures, scopes=("gpu", "package"), meters=meters)
    return plain.model_copy(update={"total": total})


def test_totals_are_compared_if_they_add_the_same(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    make_measurement: Callable[..., Measured],
) -> None:
    before, other = (a_total(make_measurement, "nvml", meter) for meter in ("rapl", "zeus"))
    results = [make_result(measurements=(one,)) for one in (before, other)]
    gates = ("total.energy_j:20%", GATE)
    same, _ = verdict(results[:1], results[:1], *gates)
    assert same.verdict == "pass"
    different, headline = verdict([], results[1:], *gates)
    assert different.verdict == "incomparable"
    assert "total of gpu by nvml + package by rapl → gpu by nvml + package by zeus" in (
        different.explanation
    )
    assert headline.verdict != "incomparable"


@pytest.mark.parametrize(
    ("gate", "verdict_", "words"),
    [
        ("energy_per_output_token_j:<=0.5J", "pass", "0.400 J/token, -20.0 %"),
        ("energy_per_output_token_j:<=0.3J", "regressed", "+33.3 %"),
        ("energy_per_output_token_j:<=0.4J", "inconclusive", "from the limit <=0.4J"),
        ("output_tokens_per_s:>=10", "pass", "3 processes, 90 % interval"),
        ("output_tokens_per_s:>=10000", "regressed", "from the limit >=10000"),
    ],
)
def test_a_limit_is_judged_without_a_baseline(
    verdict: Callable[..., list[Judgement]],
    make_result: MakeResult,
    gate: str,
    verdict_: str,
    words: str,
) -> None:
    repeats = [make_result(repeat=repeat) for repeat in range(3)]
    (made,) = verdict([], repeats, gate.replace(">=10", ">=+10"))
    assert made.verdict == verdict_
    assert words.replace(">=10", ">=+10") in made.explanation
    assert made.failed(strict=False) == (verdict_ == "regressed")


def test_a_limit_on_what_is_unknown_is_incomparable(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    (made,) = verdict([], [make_result()], "traffic.goodput_share:>=95%")
    assert made.verdict == "incomparable"
    assert "unknown in this run" in made.explanation


def test_a_limit_is_surer_than_a_baseline_that_has_days(
    verdict: Callable[..., list[Judgement]], make_result: MakeResult
) -> None:
    repeats = [make_result(repeat=repeat) for repeat in range(5)]
    limit, stored = verdict(repeats, repeats, "energy_per_output_token_j:<=0.4J", GATE)
    assert limit.interval is not None
    assert stored.interval is not None
    width = [high - low for low, high in (limit.interval, stored.interval)]
    assert width[0] < width[1] / 2
