"""A model answers the same whether its process was spawned or forked, and loads without imports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

QUICK = (
    'measurement={"windows": 2, "window_s": 0.1, "prefill_windows": 0, '
    '"warmup_min_s": 0, "warmup_max_s": 2, "idle_s": 0}'
)
SOURCE = f"""
import json, os, pathlib, sys
import pytest
from pytest_llem.workloads.batch import build_requests

before = []

@pytest.fixture(autouse=True)
def modules():
    before[:] = sys.modules

@pytest.mark.llem(input_tokens=16, output_tokens=24, batch_size=3, {QUICK})
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chat(modules, energy, model, dtype):
    requests = build_requests(energy.config, model.tokenizer)
    answers = [one.token_ids for one in model.generate(requests).requests]
    energy.measure(model)
    import torch
    found = {{
        "answers": answers,
        "drawn": torch.rand(4).tolist(),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "engine": model.describe(),
        "imported": sorted(
            name for name in set(sys.modules) - set(before)
            if name.startswith(("torch", "transformers", "tokenizers", "numpy", "pytest_llem"))
        ),
    }}
    pathlib.Path(f"{{dtype}}.json").write_text(json.dumps(found))
"""


def told(run: Run, way: str) -> dict[str, dict[str, Any]]:
    run(SOURCE, f"--llem-isolation={way}").assert_outcomes(passed=2)
    return {name: json.loads(Path(f"{name}.json").read_text()) for name in ("float32", "bfloat16")}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_model_answers_the_same_token_by_token(
    run: Run, results: Results, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    spawned, forked = told(run, "spawn"), told(run, "fork-server")
    for dtype, one in spawned.items():
        other = forked[dtype]
        assert all(len(answer) == 24 for answer in other["answers"])
        assert one["imported"]
        assert other.pop("imported") == []
        assert {key: one[key] for key in other} == other
    ways = sorted(result["isolation"] for result in results())
    assert ways == ["fork-server"] * 2 + ["spawn"] * 2
    by_label: dict[str, list[dict[str, Any]]] = {}
    for result in results():
        by_label.setdefault(result["label"], []).append(result)
    for one, other in by_label.values():
        assert one["config_hash"] == other["config_hash"]
        tokens = [[m["output_tokens"] for m in each["measurements"]] for each in (one, other)]
        assert tokens[0] == tokens[1]
