"""Prefill and decode of a real model, told apart as a user asks, on the estimate."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments.programs import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conftest import Ran

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
ASKED: dict[str, dict[str, object]] = {
    "auto": {},
    "measured": {"phases": "measured"},
    "regressed": {"phases": "regressed"},
    "sliced": {"phases": "sliced"},
    "none": {"phases": "none"},
    "lengths": {"phase_output_tokens": [4, 8, 24]},
}
EACH = "@pytest.mark.llem(measurement={asked})\ndef test_{name}(energy, model): energy.measure(model)\n"
AS_ASKED = SOURCE.partition("def ")[0].replace("@pytest.mark.llem", "pytestmark = pytest.mark.llem")


@pytest.fixture(scope="module")
def as_asked(run_once: Callable[..., Ran]) -> Ran:
    """An experiment for each way to ask; their processes are forked, so that torch is imported once."""
    tests = [EACH.format(name=name, asked=asked) for name, asked in ASKED.items()]
    return run_once("\n".join([AS_ASKED, *tests]), "-vv", "--llem-isolation=fork-server")


def whole_and_parts(result: dict[str, Any]) -> dict[str, Any]:
    """Its only measurement; its phases are known together and add up, or are unknown."""
    (found,) = result["measurements"]
    prefill, decode = found["prefill"], found["decode"]
    assert prefill["method"] == decode["method"]
    assert prefill["reason"]
    assert decode["reason"]
    for name in ("energy_j", "duration_s"):
        if prefill["method"] == "unresolved":
            assert prefill[name] is None is decode[name]
        else:
            assert prefill[name] + decode[name] == found[name]
    return dict(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auto", ("measured", {"whole": 2, "prefill": 2})),
        ("measured", ("measured", {"whole": 2, "prefill": 2})),
        ("regressed", ("regressed", {"whole": 2, "length": 6})),
        ("sliced", ("", {"whole": 2})),
        ("none", ("", {"whole": 2})),
        ("lengths", ("measured regressed", {"whole": 2, "prefill": 2, "length": 6})),
    ],
    ids=[*ASKED],
)
def test_phases_are_told_apart_as_asked(
    as_asked: Ran, name: str, expected: tuple[str, dict[str, int]]
) -> None:
    """On a busy machine an estimate of so short windows may say nothing of phases."""
    methods, windows = expected
    (result,) = [one for one in as_asked.results if one["node_id"].endswith(f"::test_{name}")]
    found = whole_and_parts(result)
    assert found["prefill"]["method"] in {*methods.split(), "unresolved"}
    kinds = [window["phase"] for window in found["windows"]]
    assert {kind: kinds.count(kind) for kind in kinds} == windows
    assert " ".join(found["prefill"]["reason"].split()[:8]) in as_asked.said
    assert "Traceback" not in as_asked.said


def test_phases_are_told_apart_again_when_recomputed(as_asked: Ran) -> None:
    (directory,) = as_asked.folder.glob(".llem/runs/*")
    command = [sys.executable, "-m", "pytest_llem", "recompute", directory.name]
    again = finished(command, os.environ, directory=as_asked.folder)
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("equal  ") == len(ASKED)
    assert "6 of 6 measurements came out equal" in again.stdout


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
    found = whole_and_parts(results()[-1])
    assert "not the workload of a model" in found["prefill"]["reason"]
