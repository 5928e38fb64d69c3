"""The whole way with TensorRT-LLM's stand-in: no figure of it is one of TensorRT-LLM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu
from instruments.printed import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]
    Gpus = Callable[..., object]

ROOT = Path(__file__).parents[2]
DOUBLE = ROOT / "tests" / "instruments" / "tensorrt_double"
SHORT = [
    "measurement.windows=2",
    "measurement.window_s=0.1",
    "measurement.prefill_windows=2",
    "measurement.warmup_min_s=0.1",
    "measurement.warmup_max_s=1",
    "measurement.idle_s=0",
]
SET = [f"--llem-set={one}" for one in SHORT]
LONGER = [one.replace("window_s=0.1", "window_s=0.3") for one in SET]
"""For bench/, which compares what experiments use."""
SOURCE = """
import pytest

@pytest.mark.llem(input_tokens=16, output_tokens=8, batch_size=2)
def test_it(energy, model):
    measured = energy.measure(model)
    assert measured.output_tokens == 16
    assert 0 < measured.ttft_s < measured.duration_s
    assert measured.itl_s * 7 < measured.duration_s
"""
BACKEND = "--llem-backend=tensorrt-llm"


@pytest.fixture(autouse=True)
def _double(monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester) -> None:
    path = [str(DOUBLE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("LLEM_TENSORRT_LLM_ENGINES", str(pytester.path / "engines"))


@pytest.mark.alone
@pytest.mark.parametrize("backend", ["pytorch", "tensorrt"])
def test_bench_runs_with_each_backend(tmp_path: Path, backend: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *("bench/", BACKEND, f"--llem-set=tensorrt_llm.backend={backend}", *LONGER),
            f"--llem-dir={tmp_path}",
        ],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    found = [json.loads(file.read_text()) for file in tmp_path.rglob("results/*.json")]
    assert len(found) >= 7
    assert {one["outcome"] for one in found} <= {"passed", "skipped"}
    for one in found:
        assert (one["engine"]["engine"], one["engine"]["backend"]) == ("tensorrt_llm", backend)
        assert (one["engine"]["build"] is None) == (backend == "pytorch")
        assert all(measured["output_tokens"] > 0 for measured in one["measurements"])


def test_an_engine_is_built_outside_of_what_is_measured_and_again_once_tampered_with(
    run: Run, results: Results, pytester: pytest.Pytester
) -> None:
    compiled = [BACKEND, *SET, "--llem-set=tensorrt_llm.backend=tensorrt"]
    for _ in range(2):
        run(SOURCE, *compiled).assert_outcomes(passed=1)
    (plan,) = (pytester.path / "engines").glob("*/engine/rank0.engine")
    plan.write_bytes(b"another engine")
    run(SOURCE, *compiled).assert_outcomes(passed=1)
    assert all(one["outcome"] == "passed" for one in results())
    first, again, tampered = (one["engine"]["build"] for one in results())
    assert (first["reused"], again["reused"]) == (False, True)
    assert first["build_s"] == again["build_s"] > 0
    assert tampered["rebuilt_because"] == "rank0.engine is damaged"


def test_streaming_has_latencies_of_each_token(run: Run, results: Results) -> None:
    run(SOURCE, BACKEND, *SET, "--llem-set=tensorrt_llm.streaming=true").assert_outcomes(passed=1)
    (one,) = results()
    assert one["engine"]["generation"]["interface"] == "LLM.generate_async"
    (measured,) = one["measurements"]
    assert measured["latencies"]["itl"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("oom-load", ["out of memory: could not load the model", "Try a smaller tensorrt_llm."]),
        ("no-mpi", ["libmpi.so.40", "apt-get install libopenmpi-dev"]),
        ("worker-dies", ["1 of 1 workers of TensorRT-LLM died while it served"]),
        ("oom-serve", ["out of memory: could not serve 2 requests"]),
        ("too-short", ["ended after 7 of 8 tokens"]),
    ],
)
def test_a_fault_is_told_in_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: str, said: list[str]
) -> None:
    monkeypatch.setenv("LLEM_TEST_TRT_FAULT", fault)
    result = run(SOURCE, BACKEND, *SET)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = " ".join(text_of(result).split())
    for part in said:
        assert part in text


def test_a_shutdown_that_hangs_costs_no_result(
    run: Run, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_TEST_TRT_FAULT", "shutdown-hangs")
    run(SOURCE, BACKEND, *SET).assert_outcomes(passed=1)
    assert [one["outcome"] for one in results()] == ["passed"]


@pytest.mark.parametrize(
    "asked", ["tensor_parallel_size=2", "tensorrt_llm.context_parallel_size=2"]
)
def test_an_experiment_has_as_many_gpus_as_it_has_ranks(
    run: Run, results: Results, gpus: Gpus, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    gpus(
        *(
            Gpu(curve=Constant(100.0), uuid=f"GPU-{name}000", pci=f"00000000:{name}B:00.0")
            for name in "abc"
        )
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    run(SOURCE, BACKEND, *SET, f"--llem-set={asked}").assert_outcomes(passed=1)
    (one,) = results()
    assert one["measurements"][0]["devices"] == ["GPU-a000", "GPU-b000"]
    assert one["engine"]["processes"] == 2


def test_a_type_that_the_backend_does_not_heed_is_a_warning(run: Run, results: Results) -> None:
    result = run(SOURCE, BACKEND, *SET, "--llem-set=dtype=float16")
    result.assert_outcomes(passed=1)
    assert "dtype='float16' was asked for, but 'bfloat16' took effect" in " ".join(
        text_of(result).split()
    )


def test_without_the_package_plans_are_shown_and_runs_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].replace(str(DOUBLE), ""))
    plan = run(SOURCE, BACKEND, "--llem-dry-run")
    assert plan.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert "test_it.py::test_it" in text_of(plan)
    refused = run(SOURCE, BACKEND, *SET)
    assert refused.ret == pytest.ExitCode.TESTS_FAILED
    assert "tensorrt_llm is not installed in this environment" in " ".join(text_of(refused).split())
