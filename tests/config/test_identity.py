"""The identity of an experiment, which baselines and stored runs are found by, never changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import canonical_json, config_hash, digest, identity_hash

GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "defaults": ({}, "dee5ebd985bd7084"),
    "several fields": (
        {
            "model": "org/model-7b",
            "revision": "main",
            "dtype": "bfloat16",
            "quantization": "awq",
            "batch_size": 8,
            "input_tokens": 512,
            "output_tokens": 256,
            "seed": 7,
        },
        "a3d02a5fb070940d",
    ),
    "how it is measured, and where": (
        {"device": "cuda:1", "measurement": {"windows": 9, "window_s": 0.25}},
        "dee5ebd985bd7084",
    ),
    "prompts in other scripts": (
        {"prompts": ["Grüße, Welt", "日本語の文", "🙂 \0 end", "e\u0301"]},
        "fd2e2ee7f9ffc1ff",
    ),
    "a float that has no short form": (
        {"backend": "vllm", "vllm": {"max_num_seqs": 64, "gpu_memory_utilization": 0.1 + 0.2}},
        "679f97f12bbe75f5",
    ),
    "options that are set to their defaults": (
        {"backend": "vllm", "vllm": {"max_num_seqs": None, "enforce_eager": False}},
        "91d4e87772706cb9",
    ),
    "options within options": (
        {
            "backend": "vllm",
            "vllm": {
                "speculative_config": {
                    "method": "ngram",
                    "num_speculative_tokens": 3,
                    "deep": {"z": [1, {"b": None, "a": True}], "a": -0.0},
                }
            },
        },
        "262a6d14edec7166",
    ),
    "further arguments with numbers of all kinds": (
        {
            "transformers": {
                "torch_compile": True,
                "extra": {"rate": 1e-7, "big": 1e22, "whole": 3.0, "number": 3, "größe": "ß"},
            }
        },
        "ff9ad4d516c9f85c",
    ),
    "an engine with a mapping of its own": (
        {
            "backend": "tensorrt_llm",
            "tensor_parallel_size": 4,
            "tensorrt_llm": {"kv_cache_config": {"free_gpu_memory_fraction": 0.85}},
        },
        "76ad0b848f925ac2",
    ),
    "the section of another engine": (
        {"backend": "transformers", "vllm": {"max_num_seqs": 64}},
        "dee5ebd985bd7084",
    ),
    "an engine that another distribution adds": (
        {"backend": "toy", "engine_options": {"toy": {"threads": 2, "ratio": 2 / 3}}},
        "812d3bbd8d52a678",
    ),
    "a workload": (
        {"workload": {"lengths": "lognormal", "input_sigma": 0.7, "turns": 3}},
        "00fa12cef7e79db8",
    ),
    "traffic": ({"backend": "openai", "traffic": {"rate_per_s": 2.5}}, "350521d3d29c8b62"),
}
ELSEWHERE = """
import json, sys
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash
given = json.load(sys.stdin)
print(json.dumps({name: config_hash(ExperimentConfig(**one)) for name, one in given.items()}))
"""
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts),
    max_leaves=8,
)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_hash_is_what_it_has_always_been(name: str) -> None:
    fields, expected = GOLDEN[name]
    assert config_hash(ExperimentConfig(**fields)) == expected


def test_own_arguments_of_a_test_count() -> None:
    config = ExperimentConfig()
    assert identity_hash(config, {}) == config_hash(config)
    assert identity_hash(config, {"b": "1", "a": "ü"}) == "1b4586c3bcb101f6"


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_neither_hash_seed_nor_order_of_keys_matters(seed: str) -> None:
    given_backwards = {name: backwards(fields) for name, (fields, _) in GOLDEN.items()}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=json.dumps(given_backwards),
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: expected for name, (_, expected) in GOLDEN.items()}


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(part) for key, part in reversed(value.items())}
    return [backwards(part) for part in value] if isinstance(value, list) else value


@given(PLAIN)
def test_canonical_json_is_one_text_whatever_the_order(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(backwards(value)) == text
    assert canonical_json(json.loads(text)) == text
    assert text.isascii()
    assert digest(backwards(value)) == digest(value)


@pytest.mark.parametrize(
    "fields",
    [
        {"backend": "vllm", "vllm": {"extra": {"a": [{"x", "y"}]}}},
        {"backend": "vllm", "vllm": {"speculative_config": {"a": frozenset("xy")}}},
        {"backend": "toy", "engine_options": {"toy": {"a": {"x", "y"}}}},
        {"workload": {"extra": {"a": {"x", "y"}}}},
    ],
)
def test_a_set_is_refused_since_it_has_no_order(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a set has no order"):
        ExperimentConfig(**fields)


def test_a_set_in_a_marker_is_refused_in_words(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.llem(transformers={'extra': {'a': {'x', 'y'}}})\n"
        "def test_it(energy): pass\n"
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", "--llem-dry-run")
    said = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert "transformers.extra" in said
    assert "a set has no order" in said
    assert not Path(".llem").exists()
