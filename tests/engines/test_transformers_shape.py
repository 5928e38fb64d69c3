"""What the transformers engine says of the size of a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.engines.builtin import tiny
from pytest_llem.engines.transformers.shape import shape

if TYPE_CHECKING:
    from pytest_llem.engines.transformers.session import TransformersSession

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def shape_of(torch: Any, config: Any, **fields: Any) -> ModelShape:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    found = ModelShape.of(
        {"shape": shape(SimpleNamespace(model=model, config=ExperimentConfig(**fields)))}  # type: ignore[arg-type]
    )
    assert found is not None
    return found


def test_the_built_in_model_is_described_by_its_recipe(session: TransformersSession) -> None:
    found = ModelShape.of(session.describe())
    numbers = sum(len(tensor.content) // 2 for tensor in tiny.tensors())
    embedding = tiny.VOCABULARY * tiny.HIDDEN
    assert found == ModelShape(
        parameters=numbers,
        weight_bytes=4 * numbers,
        lookup_parameters=embedding,
        lookup_bytes=4 * embedding,
        layers=tiny.LAYERS,
        kv_heads=tiny.KEY_VALUE_HEADS,
        head_dim=tiny.HEAD,
        kv_value_bits=32,
        dtype="float32",
    )


def test_a_tied_embedding_is_read_in_full(torch: Any) -> None:
    from transformers import LlamaConfig

    tied = shape_of(torch, LlamaConfig(**SMALL, tie_word_embeddings=True))
    untied = shape_of(torch, LlamaConfig(**SMALL, tie_word_embeddings=False))
    assert tied.lookup_bytes == tied.lookup_parameters == 0
    assert untied.lookup_bytes == 2 * untied.lookup_parameters == 2 * 100 * 64
    assert untied.parameters - tied.parameters == 100 * 64


def test_routed_experts_are_counted_apart(torch: Any) -> None:
    from transformers import MixtralConfig

    found = shape_of(torch, MixtralConfig(**SMALL, num_local_experts=8, num_experts_per_tok=2))
    assert found.expert_parameters == 4 * 8 * 3 * 64 * 96
    assert found.expert_bytes == 2 * found.expert_parameters
    assert (found.experts, found.experts_per_token) == (8, 2)
    assert found.head_dim == 16


def test_sliding_layers_are_counted(torch: Any) -> None:
    from transformers import Gemma3TextConfig

    kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    found = shape_of(torch, Gemma3TextConfig(**SMALL, layer_types=kinds, sliding_window=32))
    assert (found.layers, found.sliding_layers, found.sliding_window) == (4, 3, 32)


@pytest.mark.parametrize("kind", ["linear_attention", "chunked_attention"])
def test_a_cache_of_another_kind_is_unknown(torch: Any, kind: str) -> None:
    from transformers import LlamaConfig

    config = LlamaConfig(**SMALL)
    found = shape_of(torch, config)
    assert found.kv_bytes(10) == 2 * 4 * 2 * 16 * 2 * 10
    config.layer_types = ["full_attention", kind, "full_attention", kind]
    assert shape_of(torch, config).kv_bytes(10) is None


def test_a_quantized_cache_is_unknown(torch: Any) -> None:
    from transformers import LlamaConfig

    fields = {"transformers": {"cache_implementation": "quantized"}}
    assert shape_of(torch, LlamaConfig(**SMALL), **fields).kv_bytes(10) is None
