"""The built-in model through the transformers engine, as a user meets it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

QUICK = (
    'measurement={"windows": 2, "window_s": 0.2, "prefill_windows": 2, '
    '"warmup_min_s": 0.1, "warmup_max_s": 5}'
)


def test_the_example_of_the_readme_runs(run: Run, results: Results) -> None:
    outcome = run(
        f"""
        import pytest

        @pytest.mark.llem(input_tokens=16, output_tokens=8, {QUICK})
        @pytest.mark.parametrize("batch_size", [1, 4])
        @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
        def test_chat(energy, model, batch_size, dtype):
            measured = energy.measure(model)
            assert measured.energy_per_output_token_j < 5.0
            assert measured.output_tokens == 8 * batch_size
            assert measured.input_tokens == 16 * batch_size
            assert measured.requests == batch_size
            assert measured.ttft_s < measured.duration_s
            assert measured.itl_s * 7 < measured.duration_s
            assert measured.estimated
            whole = measured.prefill.energy_j, measured.decode.energy_j
            if None not in whole:
                assert sum(whole) == pytest.approx(measured.energy_j)
            assert model.describe()["dtype"] == dtype
        """
    )
    outcome.assert_outcomes(passed=4)
    outcome.stdout.fnmatch_lines(["*ESTIMATED*", "*estimated*"])
    for result in results():
        (measured,) = result["measurements"]
        assert measured["method"] == "estimated"
        assert {window["phase"] for window in measured["windows"]} == {"whole", "prefill"}
        assert result["engine"]["versions"]["torch"]
        assert result["measurement_methodology"]["declared_w_per_core"] > 0
        assert result["steady_state_window"][0] < result["steady_state_window"][1]
        assert len(result["config_hash"]) == 16


def test_the_model_serves_requests_of_the_tests_own(run: Run) -> None:
    run(
        f"""
        import pytest
        from pytest_llem.workloads.request import Request

        @pytest.mark.llem({QUICK})
        def test_generate(energy, model):
            prompt = tuple(model.tokenizer.encode("What does a token cost?"))
            asked = [Request(str(i), prompt, output_tokens=3 + i) for i in range(2)]
            generation = model.generate(asked)
            assert [one.output_tokens for one in generation.requests] == [3, 4]
            for one in generation.requests:
                assert generation.start_ns <= one.first_token_ns <= one.finish_ns
                assert one.finish_reason == "length"
            measured = energy.measure(
                lambda: model.generate(asked), work={{"requests": 2, "output_tokens": 7}}
            )
            assert measured.energy_per_request_j == pytest.approx(measured.energy_j / 2)
        """
    ).assert_outcomes(passed=1)


def test_options_override_parameters_and_arguments(run: Run, results: Results) -> None:
    run(
        f"""
        import pytest

        @pytest.mark.llem(input_tokens=16, output_tokens=64, {QUICK})
        @pytest.mark.parametrize("batch_size", [1, 2, 3])
        def test_chat(energy, model, batch_size):
            assert batch_size == 4
            measured = energy.measure(model)
            assert measured.output_tokens == 4 * 6
        """,
        "--llem-set=batch_size=4",
        "--llem-set=output_tokens=6",
        "--llem-backend=transformers",
    ).assert_outcomes(passed=1)
    (result,) = results()
    assert result["config"]["batch_size"] == 4


NOT_LOADED = {
    'model="builtin/tini"': "Did you mean 'builtin/tiny'",
    'model="./no/such/folder"': "no/such/folder",
    'device="cuda"': "CUDA",
}


def test_what_cannot_be_loaded_says_what_to_do(run: Run) -> None:
    tests = [
        f"@pytest.mark.llem({marker})\ndef test_{number}(energy, model): pass"
        for number, marker in enumerate(NOT_LOADED)
    ]
    outcome = run("\n\n".join(["import pytest", *tests, "def test_other(energy): pass"]))
    outcome.assert_outcomes(passed=1, errors=3)
    text = outcome.stdout.str()
    told = text.split("ERROR at setup of ")[1:]
    assert len(told) == 3
    for one, said in zip(told, NOT_LOADED.values(), strict=True):
        assert said in one
    assert "Traceback" not in text


def test_a_worse_engine_setting_fails_the_gate_and_the_file_stays(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = f"""
        import pytest

        @pytest.mark.llem(input_tokens=16, output_tokens=8, {QUICK})
        def test_chat(energy, model):
            calls = pytest.importorskip("os").environ.get("EXTRA_WORK")

            def work():
                for _ in range(4 if calls else 1):
                    model.generate(asked)

            from pytest_llem.workloads.batch import build_requests
            asked = build_requests(energy.config, model.tokenizer)
            energy.measure(work, work={{"requests": 1, "output_tokens": 8}}, name="served")
        """
    run(source, "--llem-update-baselines").assert_outcomes(passed=1)
    (baseline,) = pytester.path.glob("baselines/**/*.json")
    before = baseline.read_bytes()
    assert json.loads(before)["schema_version"] == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXTRA_WORK", "1")
        worse = run(source, "--llem-gate=energy_per_output_token_j:20%")
    worse.stdout.fnmatch_lines(["*baseline*"])
    assert baseline.read_bytes() == before


def test_recompute_derives_the_same_figures(run: Run, pytester: pytest.Pytester) -> None:
    run(
        f"""
        import pytest

        @pytest.mark.llem(input_tokens=16, output_tokens=8, {QUICK})
        def test_chat(energy, model): energy.measure(model)
        """
    ).assert_outcomes(passed=1)
    (directory,) = pytester.path.glob(".llem/runs/*")
    assert not list(directory.glob("raw/*.jsonl"))
    again = pytester.run(sys.executable, "-m", "pytest_llem", "recompute", directory.name)
    assert again.ret == 0
    again.stdout.fnmatch_lines(["equal*", "1 of 1 measurements came out equal"])
