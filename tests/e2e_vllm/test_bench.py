"""The experiments of ``bench/`` with vLLM, from an environment that has only transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
SHORT = [
    "measurement.windows=2",
    "measurement.window_s=0.2",
    "measurement.prefill_windows=2",
    "measurement.warmup_max_s=3",
    "measurement.idle_s=0",
]
QUICK = ["vllm.enforce_eager=true", "vllm.multiprocessing=false"]
"""Starts in seconds: nothing is compiled, and no process is started."""

LEFT_OUT = [
    f"bench/test_text_generation.py::test_chat[{point}-{engine}]"
    for point in ("float32-8", "bfloat16-1")
    for engine in ("transformers", "vllm")
]
"""Points of a grid whose axes have all their values without them; each is a start of an engine."""


def bench(results: Path, *arguments: str, given: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run pytest over experiments of ``bench/``; the stored results."""
    settings = [f"--llem-set={one}" for one in (*SHORT, *given)]
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-W", "default"]  # vLLM leaves sockets to the garbage collector, which warns
    store = f"--llem-dir={results}"
    done = subprocess.run(
        [*command, *arguments, *settings, store],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return [json.loads(file.read_text()) for file in sorted(results.rglob("results/*.json"))]


def test_bench_compares_both_engines(tmp_path: Path) -> None:
    both = "--llem-backend=transformers,vllm"
    found = bench(tmp_path, "bench/", both, *map("--deselect={}".format, LEFT_OUT), given=QUICK)
    by_engine = {
        name: [one for one in found if one["config"]["backend"] == name]
        for name in ("transformers", "vllm")
    }
    assert len(by_engine["transformers"]) == len(by_engine["vllm"]) > 0
    assert {one["outcome"] for one in found} <= {"passed", "skipped"}
    for one in by_engine["vllm"]:
        assert one["engine"]["engine"] == "vllm"
        assert (
            one["elsewhere"]["executable"].startswith(str(ROOT)) or one["elsewhere"]["executable"]
        )
        for measured in one["measurements"]:
            assert measured["output_tokens"] > 0


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_bench_runs_with_vllm_as_it_starts_by_itself(tmp_path: Path, streaming: str) -> None:
    """Compiled, and with a core of its own: one experiment, since each start is slow."""
    node = "bench/test_text_generation.py::test_chat[float32-1]"
    (one,) = bench(tmp_path, node, "--llem-backend=vllm", given=[f"vllm.streaming={streaming}"])
    assert one["outcome"] in {"passed", "skipped"}
    assert one["engine"]["compilation"]["enforce_eager"] is False
    assert one["engine"]["processes"] > 0
