"""The grid before anything runs: the dry run, what overrides do to it, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

GRID = """
import pytest

@pytest.mark.llem(input_tokens=16)
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chat(energy, model, batch_size, dtype):
    raise RuntimeError("a dry run runs nothing")
"""


def test_a_dry_run_shows_the_grid_and_runs_nothing(run: Run, pytester: pytest.Pytester) -> None:
    result = run(GRID + "\ndef test_plain(): raise RuntimeError\n", "--llem-dry-run")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "dry run: 4 points in 1 group*",
            "*dtype*float32, bfloat16*",
            "*batch_size*1, 8*",
            "*baselines: 4 missing*",
            "*first*test_chat[[]float32-1]*",
            "*last*test_chat[[]bfloat16-8]*",
            "*1 other test*",
        ]
    )
    assert not (pytester.path / ".llem").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "first has 5 windows of 1 s or more, and with a model 3 windows of prefill only"),
        (
            ["--llem-set=measurement.phases=regressed"],
            "and with a model 4 windows at each of 16, 32, 48 output tokens",
        ),
        (["--llem-set=measurement.phases=sliced", "--llem-set=measurement.windows=1"], "1 window "),
    ],
)
def test_a_dry_run_says_which_windows_will_be_run(run: Run, options: list[str], said: str) -> None:
    result = run(GRID, "--llem-dry-run", *options)
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert said in text
    assert ("with a model" in text) == ("with a model" in said)


def test_a_dry_run_lists_invalid_and_duplicate_points(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 0, 1])
        def test_chat(energy, model, batch_size): pass
        """,
        "--llem-dry-run",
    )
    assert result.ret == 0
    text = result.stdout.str()
    assert "invalid" in text
    assert "batch_size=0" in text
    assert "duplicate" in text


def test_a_dry_run_knows_which_baselines_exist(run: Run) -> None:
    source = """
        import pytest

        @pytest.mark.llem(measurement={"windows": 1, "window_s": 0.1, "warmup_min_s": 0})
        @pytest.mark.parametrize("seed", [1, 2])
        def test_it(energy, seed):
            energy.measure(lambda: sum(range(1000)))
        """
    run(source, "--llem-update-baselines", "-k", "1").assert_outcomes(passed=1, deselected=1)
    result = run(source, "--llem-dry-run")
    result.stdout.fnmatch_lines(["*baselines: *1 have*", "*first*"])
    assert "1 missing" in result.stdout.str()


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        ("@pytest.mark.llem(batch_sise=4)", ["batch_sise", "Did you mean 'batch_size'"]),
        ("@pytest.mark.llem(batch_size=0)", ["batch_size=0", "whole number from 1"]),
        ("@pytest.mark.llem(dtype='float31')", ["dtype='float31'", "'bfloat16'"]),
        ("@pytest.mark.llem(vllm={'max_num_seq': 4})", ["max_num_seq", "max_num_seqs"]),
        (
            "@pytest.mark.llem(measurement={'phases': 'slices'})",
            ["measurement.phases='slices'", "'regressed'", "Did you mean 'sliced'"],
        ),
        (
            "@pytest.mark.llem(measurement={'phase_output_tokens': [8, 8, 16]})",
            ["measurement.phase_output_tokens=[8, 8, 16]", "at least 3 different lengths"],
        ),
        (
            "@pytest.mark.llem(measurement={'phase_output_tokens': [8, 0, 16]})",
            ["measurement.phase_output_tokens[1]=0", "whole number from 1"],
        ),
        ("@pytest.mark.parametrize('dtype', ['int7'])", ["dtype='int7'", "'float32'"]),
        ("@llem.grid(batchsize=[1])", ["batchsize", "Did you mean 'batch_size'"]),
    ],
)
def test_what_cannot_be_planned_is_a_collection_error(
    run: Run, decorator: str, said: list[str]
) -> None:
    result = run(
        f"""
        import pytest
        from pytest_llem import llem

        {decorator}
        def test_chat(energy, model, dtype="float32"): pass
        """.replace(', dtype="float32"', ", dtype" if "'dtype'" in decorator else "")
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = result.stdout.str()
    assert all(words in text for words in [*said, "test_chat"]), text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--llem-set=batch_sise=4", "Did you mean 'batch_size'"),
        ("--llem-set=batch_size=zero", "batch_size"),
        ("--llem-set=vlm.max_num_seqs=4", "vlm.max_num_seqs=4: there is no such field 'vlm'"),
        ("--llem-set=vllm.extra.max_num_seqs=4", "vllm.extra is set as a whole"),
        ("--llem-set=batch_size.x=4", "batch_size is set as a whole"),
        ("--llem-set=batch_size", "="),
        ("--llem-backend=vlm", "Did you mean 'vllm'"),
        ("--llem-gate=energy_per_token:5%", "energy_per_output_token_j"),
        ("--llem-meter=nvm", "nvml"),
        ("--llem-timeout=-1", "seconds"),
        ("--llem-timeout=nan", "seconds"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(run: Run, option: str, said: str) -> None:
    result = run("def test_it(energy): pass", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str()
    assert said in text
    assert "Traceback" not in text + result.stdout.str()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--llem-repeats=0", "1 or more"),
        ("--llem-timeout=nan", "seconds"),
        ("--llem-memory-limit=much", "'much' is no size"),
        ("--llem-export=csv", "names no export"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(run: Run, option: str, said: str) -> None:
    result = run("def test_it(energy): pass", "--llem-dry-run", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str() + result.stdout.str()


def test_backends_multiply_the_grid(run: Run) -> None:
    result = run(GRID, "--llem-backend=transformers,vllm", "--collect-only", "-q")
    ids = [line for line in result.stdout.lines if "::" in line]
    assert len(ids) == 8
    assert sum("vllm" in line for line in ids) == 4
    repeated = run(GRID, "--llem-backend=transformers", "--llem-backend=vllm", "--co", "-q")
    assert [line for line in repeated.stdout.lines if "::" in line] == ids


def test_an_overridden_axis_collapses_before_ids_are_made(run: Run) -> None:
    result = run(GRID, "--llem-set=batch_size=4", "--llem-model=org/other", "--co", "-q")
    ids = [line.partition("::")[2] for line in result.stdout.lines if "::" in line]
    assert ids == ["test_chat[float32-4]", "test_chat[bfloat16-4]"]


def test_plain_tests_load_nothing_heavy_and_look_the_same(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = """
        import sys

        def test_modules():
            heavy = {"pydantic", "torch", "transformers", "scipy", "pyarrow", "numpy", "rich"}
            assert not heavy & set(sys.modules) - BEFORE
        """
    pytester.makeconftest(
        """
        import builtins, sys
        builtins.BEFORE = set()
        """
    )
    options = ("-p", "no:hypothesispytest", "-p", "no:anyio")
    with_plugin = run(source, *options)
    with_plugin.assert_outcomes(passed=1)
    without = run(source, *options, "-p", "no:llem")
    differing = {"plugins:", "=", "collected"}
    assert [line for line in with_plugin.stdout.lines if not _starts(line, differing)] == [
        line for line in without.stdout.lines if not _starts(line, differing)
    ]


def _starts(line: str, beginnings: set[str]) -> bool:
    return any(line.startswith(beginning) for beginning in beginnings)


def test_a_dry_run_imports_no_engine(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure():
            engines = {"torch", "transformers", "vllm", "tensorrt_llm", "numpy"}
            print("LOADED", sorted(engines & set(sys.modules)))
        """
    )
    result = run(GRID, "--llem-dry-run", "-s")
    assert "LOADED []" in result.stdout.str()


def test_a_fixture_of_the_projects_own_called_model_is_left_alone(run: Run) -> None:
    run(
        """
        import os, pytest

        @pytest.fixture
        def model(): return "mine"

        def test_it(model):
            assert model == "mine"
            assert "LLEM_EXPERIMENT" not in os.environ
        """
    ).assert_outcomes(passed=1)


def test_a_dry_run_tells_what_fits_into_a_stated_device(run: Run) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 100_000])
        def test_chat(energy, model, batch_size): pass
        """
    result = run(source, "--llem-dry-run", "--llem-device-memory=NVIDIA L4:24GiB")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert "memory: 1 fits, 1 does not fit" in text
    assert "does not fit: test_it.py::test_chat[100000]" in text
    assert "an ideal machine" in text
    wrong = run(source, "--llem-dry-run", "--llem-device-memory=much")
    assert "no size" in wrong.stderr.str() + wrong.stdout.str()
    assert "Traceback" not in wrong.stderr.str() + wrong.stdout.str()


def test_a_dry_run_tells_what_fits_into_the_machine_of_a_profile(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 100_000])
        def test_chat(energy, model, batch_size): pass
        """
    said = " ".join(run(source, "--llem-dry-run", "--llem-profile=l4").stdout.str().split())
    assert "of the 22.4 GiB of NVIDIA L4" in said
    assert "memory: 1 fits, 1 does not fit" in said
    stated = "--llem-device-memory=NVIDIA B200:180GiB"
    said = run(source, "--llem-dry-run", "--llem-profile=l4", stated).stdout.str()
    assert "NVIDIA L4" not in said
    (pytester.path / "mine.toml").write_text('devices = ["Mine"]\n')
    said = run(source, "--llem-dry-run", "--llem-profile=mine.toml").stdout.str()
    assert "of the host" in " ".join(said.split())


def test_the_plan_is_json_on_standard_output_and_nothing_else_is(
    run: Run, pytester: pytest.Pytester
) -> None:
    result = run(GRID, "--llem-plan-json=-", "--llem-model=org/absent")
    assert result.ret == 0
    plan = json.loads(result.stdout.str())
    assert [point["state"] for point in plan["points"]] == ["valid"] * 4
    assert {point["memory"]["verdict"] for point in plan["points"]} == {"unknown"}
    assert "4 points in 1 group" in result.stderr.str()
    assert run(GRID, "--llem-plan-json=plan.json").ret == 0
    assert len(json.loads((pytester.path / "plan.json").read_text())["points"]) == 4
    refused = run(GRID, "--llem-plan-json=no/where/plan.json")
    assert "cannot be written" in refused.stderr.str() + refused.stdout.str()


def test_a_baseline_of_other_hardware_is_incomparable(run: Run, pytester: pytest.Pytester) -> None:
    measured = run(
        "def test_it(energy): energy.measure(lambda: sum(range(1000)))",
        "--llem-update-baselines",
        "--llem-set=measurement.windows=1",
        "--llem-set=measurement.window_s=0.1",
    )
    assert measured.ret == 0
    here = run("def test_it(energy): pass", "--llem-dry-run")
    assert "baselines: 1 have" in here.stdout.str()
    (file,) = (pytester.path / "baselines").rglob("*.json")
    content = json.loads(file.read_text())
    file.unlink()
    elsewhere = {**content, "hardware": "nvidia-l4-x1"}
    (file.parent / "nvidia-l4-x1.json").write_text(json.dumps(elsewhere))
    assert (
        "baselines: 1 incomparable"
        in run("def test_it(energy): pass", "--llem-dry-run").stdout.str()
    )
