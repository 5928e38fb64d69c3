"""Parameters and cache against transformers itself: models without weights, and a small real run."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llem.engines.builtin.tiny import CONFIG
from pytest_llem.plan.memory.cache import cache_shape
from pytest_llem.plan.memory.facts import ModelFacts
from pytest_llem.plan.memory.families import FAMILIES
from pytest_llem.plan.memory.layers import blocks_of

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

torch.set_num_threads(1)
FEW = {"num_hidden_layers": 3}
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"model_type": name, **FEW} for name in FAMILIES},
    "gemma3": {
        "model_type": "gemma3",
        "text_config": {"model_type": "gemma3_text", **FEW},
        "vision_config": {"model_type": "siglip_vision_model", **FEW, "vision_use_head": False},
    },
    "tied llama with biases": {
        "model_type": "llama",
        **FEW,
        "tie_word_embeddings": True,
        "attention_bias": True,
        "mlp_bias": True,
        "num_key_value_heads": 4,
        "head_dim": 96,
    },
    "tied phi": {"model_type": "phi", **FEW, "tie_word_embeddings": True},
    "opt with a narrow embedding": {"model_type": "opt", **FEW, "word_embed_proj_dim": 512},
    "some sparse layers": {
        "model_type": "qwen3_moe",
        "num_hidden_layers": 4,
        "decoder_sparse_step": 2,
        "mlp_only_layers": [1],
    },
    "deepseek without compressed queries": {
        "model_type": "deepseek_v2",
        **FEW,
        "q_lora_rank": None,
        "first_k_dense_replace": 1,
    },
}


def model(raw: dict[str, Any]) -> Any:
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(
            transformers.AutoConfig.for_model(**raw)
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_are_those_of_transformers_own_model(name: str) -> None:
    found = model(VARIANTS[name])
    facts = ModelFacts(found.config.to_dict())
    assert blocks_of(facts).parameters == sum(one.numel() for one in found.parameters())


SMALL = {
    "num_hidden_layers": 4,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
}
CACHED: dict[str, dict[str, Any]] = {
    "builtin": CONFIG,
    "gpt2": {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 128},
    "gemma2": {"model_type": "gemma2", **SMALL, "head_dim": 32, "sliding_window": 100},
    "gemma2 beyond its window": {
        "model_type": "gemma2",
        **SMALL,
        "head_dim": 32,
        "sliding_window": 8,
    },
    "deepseek": {
        "model_type": "deepseek_v2",
        **SMALL,
        "num_key_value_heads": 4,
        "moe_intermediate_size": 32,
        "n_routed_experts": 4,
        "n_group": 1,
        "topk_group": 1,
        "num_experts_per_tok": 2,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "kv_lora_rank": 16,
        "q_lora_rank": None,
        "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 32,
        "v_head_dim": 32,
        "head_dim": 16,
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CACHED)
def test_the_cache_of_a_run_takes_the_bytes_that_are_foretold(name: str) -> None:
    raw = CACHED[name]
    facts = ModelFacts(transformers.AutoConfig.for_model(**raw).to_dict())
    loaded = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(**raw), dtype=torch.float32
    )
    prompt = torch.ones((3, 10), dtype=torch.long)
    made = loaded.generate(
        prompt, max_new_tokens=6, min_new_tokens=6, do_sample=False, return_dict_in_generate=True
    )
    tensors = [one for layer in made.past_key_values.layers for one in (layer.keys, layer.values)]
    held = sum(one.numel() * one.element_size() for one in tensors)
    shape = cache_shape(facts, 4)
    if shape.window is not None and shape.window < 15:
        near = shape.near_layers * shape.kv_heads * shape.per_head * 4 * 3
        held += near  # what transformers drops of a window at once, and the next token takes again
    assert held == shape.bytes_of(10 + 6 - 1, requests=3)  # the last token is never fed back
