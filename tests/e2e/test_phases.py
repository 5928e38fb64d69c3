"""Prefill and decode of a real model, told apart as a user asks, on the estimate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

SOURCE = """
import pytest

@pytest.mark.llem(
    model="builtin/tiny", input_tokens=16, output_tokens=16,
    measurement={"windows": 2, "window_s": 0.15, "warmup_min_s": 0.1, "warmup_max_s": 2,
                 "prefill_windows": 2, "phase_windows": 2, "repeat_windows": 0, "idle_s": 0},
)
def test_it(energy, model):
    energy.measure(model)
"""


def phases_option(value: str) -> str:
    return f"--llem-set=measurement.phases={value}"


def whole_and_parts(results: Results) -> dict[str, Any]:
    """The last measurement; its phases are known together and add up, or are unknown."""
    found: dict[str, Any] = results()[-1]["measurements"][0]
    prefill, decode = found["prefill"], found["decode"]
    assert prefill["method"] == decode["method"]
    assert prefill["reason"]
    assert decode["reason"]
    for name in ("energy_j", "duration_s"):
        if prefill["method"] == "unresolved":
            assert prefill[name] is None is decode[name]
        else:
            assert prefill[name] + decode[name] == found[name]
    return found


def recompute(pytester: pytest.Pytester) -> pytest.RunResult:
    (directory,) = pytester.path.glob(".llem/runs/*")
    return pytester.run(sys.executable, "-m", "pytest_llem", "recompute", directory.name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ("measured", {"whole": 2, "prefill": 2})),
        ([phases_option("measured")], ("measured", {"whole": 2, "prefill": 2})),
        ([phases_option("regressed")], ("regressed", {"whole": 2, "length": 6})),
        ([phases_option("sliced")], ("", {"whole": 2})),
        ([phases_option("none")], ("", {"whole": 2})),
        (
            ["--llem-set=measurement.phase_output_tokens=[4, 8, 24]"],
            ("measured regressed", {"whole": 2, "prefill": 2, "length": 6}),
        ),
    ],
    ids=["auto", "measured", "regressed", "sliced", "none", "lengths"],
)
def test_phases_are_told_apart_as_asked_and_again_when_recomputed(
    run: Run,
    results: Results,
    pytester: pytest.Pytester,
    options: list[str],
    expected: tuple[str, dict[str, int]],
) -> None:
    """On a busy machine an estimate of so short windows may say nothing of phases."""
    methods, windows = expected
    outcome = run(SOURCE, "-vv", *options)
    outcome.assert_outcomes(passed=1)
    found = whole_and_parts(results)
    assert found["prefill"]["method"] in {*methods.split(), "unresolved"}
    kinds = [window["phase"] for window in found["windows"]]
    assert {kind: kinds.count(kind) for kind in kinds} == windows
    shown = " ".join(outcome.stdout.str().split())
    assert " ".join(found["prefill"]["reason"].split()[:8]) in shown
    assert "Traceback" not in shown
    again = recompute(pytester)
    assert again.ret == 0, again.stdout.str()
    again.stdout.fnmatch_lines(["equal*", "1 of 1 measurements came out equal"])


def test_a_length_that_the_model_cannot_generate_is_named(run: Run) -> None:
    outcome = run(SOURCE, "--llem-set=measurement.phase_output_tokens=[4, 8, 100000]")
    outcome.assert_outcomes(failed=1)
    text = " ".join(outcome.stdout.str().split())
    assert "EngineError: the windows at 100000 output tokens, which tell the phases apart" in text
    assert "measurement.phase_output_tokens" in text
    assert "load()" not in text
    assert "drive.py" not in text


def test_one_output_token_is_all_prefill(run: Run, results: Results) -> None:
    run(SOURCE, "--llem-set=output_tokens=1").assert_outcomes(passed=1)
    found = results()[-1]["measurements"][0]
    assert found["prefill"]["energy_j"] == found["energy_j"]
    assert "nothing to decode" in found["decode"]["reason"]


def test_what_a_function_does_has_no_phases(run: Run, results: Results) -> None:
    source = SOURCE.replace("energy.measure(model)", "energy.measure(lambda: sum(range(9999)))")
    run(source.replace(", model", ""), "--llem-set=measurement.phases=regressed").assert_outcomes(
        passed=1
    )
    found = whole_and_parts(results)
    assert "not the workload of a model" in found["prefill"]["reason"]
