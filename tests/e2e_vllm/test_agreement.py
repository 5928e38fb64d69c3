"""Two engines, one model, the same tokens: what is measured is the same work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

MEASUREMENT = {"windows": 1, "window_s": 0.1, "prefill_windows": 0, "warmup_max_s": 1, "idle_s": 0}
SOURCE = f"""
import json, pathlib
import pytest
from pytest_llem.workloads.batch import build_requests

@pytest.mark.llem(
    dtype="float32", batch_size=8, input_tokens=24, output_tokens=32, measurement={MEASUREMENT},
    vllm={{"enforce_eager": True, "multiprocessing": False, "max_model_len": 512}},
)
def test_answers(energy, model):
    requests = build_requests(energy.config, model.tokenizer)
    generation = model.generate(requests)
    told = {{
        "prompts": [one.prompt_token_ids for one in requests],
        "answers": [one.token_ids for one in generation.requests],
        "parameters": model.describe()["parameters"],
    }}
    pathlib.Path(f"{{energy.config.backend}}.json").write_text(json.dumps(told))
"""


def test_in_float32_both_engines_give_the_same_greedy_tokens(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SOURCE)
    outcome = pytester.runpytest_subprocess("-p", "no:randomly", "--llem-backend=transformers,vllm")
    outcome.assert_outcomes(passed=2)
    ours, theirs = (
        json.loads(Path(f"{name}.json").read_text()) for name in ("transformers", "vllm")
    )
    assert ours["prompts"] == theirs["prompts"]
    assert [len(answer) for answer in ours["answers"]] == [32] * 8
    assert ours["answers"] == theirs["answers"]
    assert ours["parameters"] == theirs["parameters"]
