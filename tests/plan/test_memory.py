"""Weights, cache and verdicts, against figures of published models and against arithmetic by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.plan.memory.blocks import Block
from pytest_llem.plan.memory.cache import cache_shape
from pytest_llem.plan.memory.facts import ModelFacts, UnknownModelError
from pytest_llem.plan.memory.fit import Room
from pytest_llem.plan.memory.fits import Fits
from pytest_llem.plan.memory.layers import blocks_of
from pytest_llem.plan.memory.need import footprint_of, need_of
from pytest_llem.plan.memory.quantization import scheme_of

GIB = 1 << 30
PUBLISHED = json.loads((Path(__file__).parent / "models.json").read_text())
"""Facts of published configurations, and the bytes that the models' own files take."""
LLAMA = PUBLISHED[0]["config"]
QWEN = PUBLISHED[3]["config"]
H100 = Room("NVIDIA H100 80GB HBM3", 80 * GIB, 1)


def config(**values: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({"model": "org/model", **values})


def fit(raw: dict[str, Any], room: Room | str = H100, **values: Any) -> Any:
    return Fits(lambda model, revision: ModelFacts(raw), lambda config: room).of(config(**values))


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model["name"])
def test_weights_take_what_the_published_files_take(model: dict[str, Any]) -> None:
    footprint = footprint_of(config(), ModelFacts(model["config"]))
    assert footprint.weights_bytes == pytest.approx(model["weights_bytes"], rel=5e-5)
    assert footprint.approximate is None


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model["name"])
def test_ranks_and_stages_share_the_weights(model: dict[str, Any]) -> None:
    def weights(**values: int) -> float:
        return footprint_of(config(backend="vllm", **values), facts).weights_bytes

    facts = ModelFacts(model["config"])
    whole = weights()
    assert whole / 4 <= weights(tensor_parallel_size=4) <= whole / 4 * 1.02
    assert whole / 2 <= weights(pipeline_parallel_size=2) <= 0.75 * whole


@pytest.mark.parametrize(
    ("raw", "tokens", "requests", "number", "expected"),
    [
        # 2 (keys and values) × 32 layers × 8 heads × 128 × 2 bytes = 131,072 a token
        (LLAMA, 1000, 3, 2, 131_072 * 1000 * 3),
        (QWEN, 1, 1, 2, 147_456),
        (QWEN, 1, 1, 1, 73_728),
        # 21 of 42 layers look back 4096 tokens: 2 × 8 × 256 × 2 bytes a layer and token
        (PUBLISHED[7]["config"], 8000, 1, 2, 8192 * 21 * (8000 + 4096)),
        # 5 of every 6 of 34 layers, 1024 tokens: 29 near, 5 full; 2 × 4 × 256 × 2 bytes
        (PUBLISHED[8]["config"], 5000, 2, 2, 2 * 4096 * (5 * 5000 + 29 * 1024)),
        # DeepSeek-V3: 512 + 64 numbers in each of 61 layers, whatever the heads
        (
            {
                "model_type": "deepseek_v3",
                "num_hidden_layers": 61,
                "num_attention_heads": 128,
                "num_key_value_heads": 128,
                "kv_lora_rank": 512,
                "qk_rope_head_dim": 64,
            },
            100,
            1,
            2,
            100 * 61 * 576 * 2,
        ),
    ],
)
def test_the_cache_takes_what_arithmetic_by_hand_gives(
    raw: dict[str, Any], tokens: int, requests: int, number: float, expected: int
) -> None:
    assert cache_shape(ModelFacts(raw), number).bytes_of(tokens, requests) == expected


def test_heads_are_shared_by_ranks_and_repeated_where_there_are_more_ranks_than_heads() -> None:
    shape = cache_shape(ModelFacts(LLAMA), 2)
    assert shape.bytes_of(10, ranks=4) == shape.bytes_of(10) / 4
    assert shape.bytes_of(10, ranks=16) == shape.bytes_of(10) / 8


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # weights, then a scale and a zero point per group, then what is special
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 2**19 + 8 * 1024 * (2 + 0.5)),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 2**19 + 8 * 1024 * 2.5 + 4096),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 2**20 + 1024 * 3 + 4096),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 2**20 + 4 * 1024),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 2**19 + 4 * 2**20 / 64),
        (
            {
                "quant_method": "bitsandbytes",
                "load_in_4bit": True,
                "bnb_4bit_use_double_quant": True,
            },
            2**19 + 2**20 / 64 * (1 + 4 / 256),
        ),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 2**20 + 64 * 4),
        ({"quant_method": "fbgemm_fp8"}, 2**20 + 4 * 1024),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {
                        "weights": {
                            "num_bits": 4,
                            "type": "int",
                            "group_size": 32,
                            "strategy": "group",
                        }
                    }
                },
            },
            2**19 + 2 * 2**20 / 32,
        ),
    ],
)
def test_a_quantized_matrix_takes_its_bits_and_what_goes_with_them(
    given: dict[str, Any], expected: float
) -> None:
    scheme = scheme_of(config(), ModelFacts({**LLAMA, "quantization_config": given}))
    assert scheme is not None
    assert scheme.bytes_of(Block("dense", 1024, 1024, layers=1), 2) == expected
    assert scheme.bytes_of(Block("embedding", 1024, 1024), 2) == 2**21
    assert scheme.bytes_of(Block("norm", 1024, layers=1), 2) == 2048


def test_what_a_configuration_excepts_keeps_its_data_type() -> None:
    given = {
        "quant_method": "fp8",
        "modules_to_not_convert": ["model.layers.3.mlp.down_proj", "lm_head"],
    }
    scheme = scheme_of(config(), ModelFacts({**LLAMA, "quantization_config": given}))
    assert scheme is not None
    assert dict(scheme.kept) == {"dense": 1}
    assert scheme.bytes_of(Block("dense", 64, 64, 4, layers=4), 2) == 64 * 64 * (3 + 2)
    assert scheme.bytes_of(Block("attention", 64, 64, 4, layers=4), 2) == 64 * 64 * 4


def test_experts_stay_whole_where_the_engine_leaves_them() -> None:
    mixtral = ModelFacts(PUBLISHED[9]["config"])
    here = footprint_of(config(quantization="int4"), mixtral).weights_bytes
    there = footprint_of(config(quantization="int4", backend="vllm"), mixtral).weights_bytes
    experts = 2 * blocks_of(mixtral).parameters_of("expert")
    assert here > experts
    assert there < 0.35 * experts


@pytest.mark.parametrize(
    ("values", "raw", "dtype"),
    [
        ({}, LLAMA, "bfloat16"),
        ({"dtype": "float32"}, LLAMA, "float32"),
        ({"backend": "vllm"}, {**LLAMA, "torch_dtype": "float32"}, "bfloat16"),
        ({}, {**LLAMA, "torch_dtype": "float32"}, "float32"),
        ({}, {**LLAMA, "torch_dtype": None, "dtype": "float16"}, "float16"),
    ],
)
def test_the_data_type_is_that_of_the_experiment_or_of_the_model(
    values: dict[str, str], raw: dict[str, Any], dtype: str
) -> None:
    assert footprint_of(config(**values), ModelFacts(raw)).dtype == dtype


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "does not say"),
        ({**LLAMA, "hidden_size": 0}, "hidden_size=0"),
        ({**LLAMA, "is_encoder_decoder": True}, "encoder"),
        ({**LLAMA, "layer_types": ["full_attention", "linear_attention"]}, "linear_attention"),
        ({**LLAMA, "quantization_config": {"quant_method": "aqlm"}}, "aqlm"),
        ({"model_type": "mamba", "hidden_size": 8, "state_size": 4}, "state_size"),
    ],
)
def test_what_cannot_be_told_is_unknown_with_its_reason(raw: dict[str, Any], said: str) -> None:
    found = fit(raw)
    assert (found.verdict, found.need) == ("unknown", None)
    assert said in found.reason


def test_an_unknown_architecture_is_counted_like_llama_and_labelled() -> None:
    known = footprint_of(config(), ModelFacts(LLAMA))
    other = footprint_of(config(), ModelFacts({**LLAMA, "model_type": "newcomer"}))
    assert other.weights_bytes == known.weights_bytes
    assert "newcomer" in str(other.approximate)


@pytest.mark.parametrize("values", [{"quantization": "awq"}, {"quantization": "fp8"}])
def test_a_quantization_that_the_model_would_have_to_be_saved_in_is_unknown(
    values: dict[str, str],
) -> None:
    with pytest.raises(UnknownModelError, match="saved in"):
        footprint_of(config(**values), ModelFacts(LLAMA))


def test_verdicts_follow_the_memory_of_the_device() -> None:
    need = fit(LLAMA).need
    assert need is not None
    verdicts = [
        fit(LLAMA, Room("a card", int(need.total_bytes * times), 1)).verdict
        for times in (0.99, 1.01, 1.1, 1.2)
    ]
    assert verdicts == ["does not fit", "tight", "tight", "fits"]
    assert fit(LLAMA, "nobody knows").verdict == "unknown"


def test_vllm_has_what_is_left_of_its_share_for_the_cache() -> None:
    values = {"backend": "vllm", "vllm": {"gpu_memory_utilization": 0.5, "max_model_len": 4096}}
    found = fit(LLAMA, **values)
    need = found.need
    pool = 40 * GIB - need.weights_bytes - need.activation_bytes - need.overhead_bytes
    assert found.verdict == "fits"
    assert found.max_tokens == pool // 131_072


def test_vllm_insists_on_room_for_the_longest_request() -> None:
    small = Room("NVIDIA L4", 24 * GIB, 1)
    found = fit(LLAMA, small, backend="vllm")
    assert found.verdict == "does not fit"
    assert "131072 tokens" in found.reason
    assert "max_model_len" in found.reason
    assert fit(LLAMA, small, backend="vllm", vllm={"max_model_len": 4096}).verdict == "fits"


def test_requests_of_vllm_that_wait_for_the_cache_are_tight() -> None:
    small, limited = Room("NVIDIA L4", 24 * GIB, 1), {"max_model_len": 4096}
    values = {"backend": "vllm", "input_tokens": 2048, "batch_size": 256}
    assert fit(LLAMA, small, vllm=limited, **values).verdict == "tight"
    fewer = {**limited, "max_num_seqs": 4}
    assert fit(LLAMA, small, vllm=fewer, **values).verdict == "fits"


def test_what_only_the_workload_knows_is_not_made_up() -> None:
    own = {"source": "jsonl", "path": "chats.jsonl", "lengths": "own"}
    found = fit(LLAMA, workload=own)
    assert found.verdict == "unknown"
    assert found.need.cache_bytes is None
    assert fit(LLAMA, Room("a card", GIB, 1), workload=own).verdict == "does not fit"


@given(
    st.integers(1, 512),
    st.integers(1, 8192),
    st.integers(1, 8192),
    st.sampled_from(["batch_size", "input_tokens", "output_tokens"]),
    st.sampled_from(["transformers", "vllm", "tensorrt_llm"]),
)
def test_more_work_never_takes_less_memory(
    batch: int, inputs: int, outputs: int, more: str, backend: str
) -> None:
    values = {"batch_size": batch, "input_tokens": inputs, "output_tokens": outputs}
    facts = ModelFacts(PUBLISHED[7]["config"])
    needs = []
    for work in (values, {**values, more: values[more] + 1}):
        asked = config(backend=backend, **work)
        needs.append(need_of(asked, footprint_of(asked, facts)))
    assert needs[0].total_bytes <= needs[1].total_bytes
    assert (needs[0].cache_bytes or 0) <= (needs[1].cache_bytes or 0)
