from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.failure import regression_text
from pytest_llem.reports.text import display_width

if TYPE_CHECKING:
    from conftest import Make

EXPLANATION = (
    "5.36 → 6.02 mJ/token, +12.3 % [+9.8, +14.9] at tolerance 5 %; 1 process against 1, "
    "95 % interval; time +11.9 % (prefill +1.0 %, decode +13.0 %), power +0.4 %"
)
REGRESSION: dict[str, Any] = {
    "change": 0.123,
    "interval": (0.098, 0.149),
    "baseline": 0.00536,
    "candidate": 0.00602,
    "explanation": EXPLANATION,
}


def test_a_regression_says_what_moved_from_where_to_where_and_what_to_do(make: Make) -> None:
    result = make.result("float32-8", [make.measured(windows=(make.window(), make.window(1)))])
    assert regression_text(result, [make.judgement("regressed", **REGRESSION)]).split("\n") == [
        "energy gate not passed: bench/test_chat.py::test_chat[float32-8]",
        "",
        "energy_per_output_token_j: regressed",
        "  from, to  5.36 mJ → 6.02 mJ",
        "  change    +12.3 % [+9.8, +14.9]; tolerance 5%",
        "  this run  2 windows in this process",
        "  why       5.36 → 6.02 mJ/token, +12.3 % [+9.8, +14.9] at tolerance 5 %; 1",
        "            process against 1, 95 % interval; time +11.9 % (prefill +1.0 %,",
        "            decode +13.0 %), power +0.4 %",
        "",
        "Every window, and what disturbed it (this was run 20261101-120000-ab12):",
        "  pytest -vv 'bench/test_chat.py::test_chat[float32-8]'",
        "If it is meant to be so, accept it as the new baseline with:",
        "  pytest --llem-update-baselines 'bench/test_chat.py::test_chat[float32-8]'",
    ]


def test_an_estimated_regression_says_so(make: Make) -> None:
    result = make.result("float32-8", [make.measured(method="estimated")])
    text = regression_text(result, [make.judgement("regressed", **REGRESSION)], unicode=False)
    assert "~5.36 mJ -> ~6.02 mJ" in text
    assert "~+12.3 %" in text
    assert "ESTIMATED, not measured" in text
    assert text.isascii()


def test_a_limit_is_no_baseline_that_could_be_made_anew(make: Make) -> None:
    result = make.result("float32-8", [make.measured()])
    text = regression_text(result, [make.judgement("regressed", **REGRESSION, is_limit=True)])
    assert "  limit     5.36 mJ → 6.02 mJ" in text
    assert "baseline" not in text


def test_a_time_is_never_an_estimate(make: Make) -> None:
    result = make.result("float32-8", [make.measured(method="estimated")])
    judgement = make.judgement("regressed", **{**REGRESSION, "metric": "ttft_s"})
    assert "ESTIMATED" not in regression_text(result, [judgement])


def test_verdicts_that_do_not_fail_are_not_mentioned(make: Make) -> None:
    result = make.result("float32-8", [make.measured()])
    judgements = [
        make.judgement("pass", metric="ttft_s"),
        make.judgement("inconclusive", metric="itl_s"),
        make.judgement("regressed", metric="power_w", gated=False),
    ]
    assert regression_text(result, judgements) == ""
    strict = regression_text(result, judgements, strict=True)
    assert "itl_s: inconclusive" in strict
    assert "ttft_s" not in strict
    assert "power_w" not in strict


def test_every_verdict_that_can_fail_has_a_next_step(make: Make) -> None:
    result = make.result("float32-8", [make.measured()])
    for verdict in ("regressed", "inconclusive", "incomparable", "new"):
        text = regression_text(result, [make.judgement(verdict)], strict=True)
        assert f"energy_per_output_token_j: {verdict}" in text
        assert "--llem-update-baselines 'bench/test_chat.py::test_chat[float32-8]'" in text


def test_a_bare_experiment_names_its_run(make: Make) -> None:
    result = make.result("chat", [make.measured()], node_id=None, group="study")
    text = regression_text(result, [make.judgement("regressed", **REGRESSION)])
    assert text.startswith("energy gate not passed: study[chat]\n")
    assert text.endswith("are kept under run 20261101-120000-ab12.")


@given(label=st.text(max_size=80), explanation=st.text(max_size=300), unicode=st.booleans())
def test_odd_names_and_long_explanations_keep_the_text_in_shape(
    make: Make, label: str, explanation: str, unicode: bool
) -> None:
    result = make.result(label, [make.measured()], node_id=None)
    judgement = make.judgement("regressed", **{**REGRESSION, "explanation": explanation})
    lines = regression_text(result, [judgement], unicode=unicode).split("\n")
    assert all(display_width(line) <= 80 for line in lines[1:])
    assert unicode or all(line.isascii() for line in lines)
