"""What was asked of an engine, against what took effect."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.effective import agrees, asked, differences, read_back

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


class Kind(Enum):
    FP8 = "fp8"


def told(effective: dict[str, Any], **fields: Any) -> list[str]:
    return differences(ExperimentConfig(**fields), {"effective": effective})


def test_only_what_was_set_was_asked() -> None:
    assert asked(ExperimentConfig()) == {"tensor_parallel_size": 1, "pipeline_parallel_size": 1}
    config = ExperimentConfig(
        backend="vllm",
        dtype="bfloat16",
        quantization="fp8",
        vllm={"max_num_seqs": 8, "kv_cache_dtype": "auto", "ignore_patterns": ("a",)},
        transformers={"do_sample": True},
    )
    assert asked(config) == {
        "dtype": "bfloat16",
        "quantization": "fp8",
        "tensor_parallel_size": 1,
        "pipeline_parallel_size": 1,
        "max_num_seqs": 8,
        "ignore_patterns": ["a"],
    }


def test_an_engine_without_a_section_was_asked_the_rest() -> None:
    assert asked(ExperimentConfig(backend="else", dtype="float16"))["dtype"] == "float16"


def test_a_difference_names_the_field_and_both_values() -> None:
    said = told({"attn_implementation": "eager"}, transformers={"attn_implementation": "sdpa"})
    assert said == ["attn_implementation='sdpa' was asked for, but 'eager' took effect"]


def test_differences_are_of_any_engine_and_any_field() -> None:
    said = told(
        {"dtype": "float32", "max_num_seqs": 4, "kv_cache_dtype": "fp8", "tensor_parallel_size": 1},
        backend="vllm",
        dtype="bfloat16",
        tensor_parallel_size=2,
        vllm={"max_num_seqs": 8, "kv_cache_dtype": "fp8"},
    )
    assert [sentence.split("=")[0] for sentence in said] == [
        "dtype",
        "max_num_seqs",
        "tensor_parallel_size",
    ]


def test_what_an_engine_does_not_tell_is_no_difference() -> None:
    config = ExperimentConfig(dtype="float16", transformers={"do_sample": True})
    assert differences(config, {}) == []
    assert differences(config, {"effective": None}) == []
    assert told({"something_else": 1}, dtype="float16") == []


def test_what_was_left_to_the_engine_is_no_difference() -> None:
    assert told({"dtype": "bfloat16", "attn_implementation": "sdpa", "quantization": "awq"}) == []


@pytest.mark.parametrize(
    ("wanted", "effective"),
    [
        ("float16", "torch.float16"),
        ("float16", "half"),
        ("FLASH_ATTN", "flash_attn"),
        (0.9, 0.9000000000001),
        (8, 8.0),
        ({"mode": 3}, {"mode": 3, "backend": "inductor"}),
        ({"0": "1GiB"}, {0: "1GiB"}),
        ([1, 2], [1, 2]),
    ],
)
def test_other_words_for_the_same_agree(wanted: Any, effective: Any) -> None:
    assert agrees(wanted, effective)


@pytest.mark.parametrize(
    ("wanted", "effective"),
    [
        ("float16", "bfloat16"),
        (8, 16),
        (True, False),
        ({"mode": 3}, {"mode": 0}),
        ({"mode": 3}, {}),
        ([1, 2], [1]),
        ("sdpa", None),
    ],
)
def test_different_things_do_not_agree(wanted: Any, effective: Any) -> None:
    assert not agrees(wanted, effective)


def test_an_engine_is_read_back_by_the_names_of_options() -> None:
    scheduler = SimpleNamespace(max_num_seqs=4, policy="fcfs")
    cache = SimpleNamespace(cache_dtype=Kind.FP8, max_num_seqs=9, skipped={"b", "a"})
    names = ["max_num_seqs", "kv_cache_dtype", "scheduling_policy", "skipped", "unknown_here"]
    renamed = {"kv_cache_dtype": "cache_dtype", "scheduling_policy": "policy"}
    assert read_back(names, [scheduler, cache], renamed) == {
        "max_num_seqs": 4,
        "kv_cache_dtype": "fp8",
        "scheduling_policy": "fcfs",
        "skipped": ["a", "b"],
    }


@given(JSON)
def test_everything_agrees_with_itself(value: Any) -> None:
    assert agrees(value, value)
