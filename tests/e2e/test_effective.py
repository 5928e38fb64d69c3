"""Options on their way from a test to the engine, and what the result says of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

TEST = """
import pytest

@pytest.mark.llem(
    input_tokens=16, output_tokens=8, dtype="float32",
    transformers={"num_beams": 2, "attn_implementation": "eager"},
    measurement={"windows": 2, "window_s": 0.1, "prefill_windows": 0,
                 "warmup_min_s": 0.1, "warmup_max_s": 2, "idle_s": 0},
)
def test_chat(energy, model):
    assert energy.measure(model).output_tokens == 8
"""
LYING = """
import pytest_llem.engines.transformers.session as session

told = session.describe

def describe(loaded):
    description = told(loaded)
    description["effective"]["attn_implementation"] = "sdpa"
    return description

session.describe = describe
"""
SAID = "attn_implementation='eager' was asked for, but 'sdpa' took effect"


def test_options_take_effect_and_are_stored_without_all_the_others(
    run: Run, results: Results
) -> None:
    run(TEST).assert_outcomes(passed=1)
    (result,) = results()
    section = result["config"]["transformers"]
    assert section["num_beams"] == 2
    assert "top_p" not in section
    assert result["engine"]["effective"]["num_beams"] == 2
    assert result["engine"]["generation"]["decoding"] == "beams"
    assert result["engine"]["differences"] == []
    assert not any("was asked for" in said for said in result["measurements"][0]["warnings"])


def test_another_effect_than_asked_is_a_warning_of_the_result_and_recomputed(
    run: Run, results: Results, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(LYING)
    outcome = run(TEST)
    outcome.assert_outcomes(passed=1)
    assert SAID in " ".join(outcome.stdout.str().split())
    (result,) = results()
    assert result["engine"]["differences"] == [SAID]
    assert SAID in result["measurements"][0]["warnings"]
    again = pytester.run(sys.executable, "-m", "pytest_llem", "recompute", result["run_id"])
    assert again.ret == 0, again.stdout.str()
