"""``builtin/tiny``: a small untrained model in the shape of a large one.

Six layers of the Qwen3 architecture with grouped-query attention, 5.8 million
parameters. It loads in a moment, runs on every engine and machine, and always
writes the same tokens; what it writes means nothing.
"""

from __future__ import annotations

import json
from importlib import resources
from math import prod
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.builtin.safetensors import Tensor, safetensors_bytes
from pytest_llem.engines.builtin.weights import hashed_weights, ones

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "builtin/tiny"
SHA256 = "683880d2259eb2975738bb0367cbdca0b8765c1feea7cf128d626354a676e65a"
"""Digest over all files (:func:`pytest_llem.engines.builtin.store.digest`)."""

VOCABULARY = 2048
HIDDEN = 256
INTERMEDIATE = 768
LAYERS = 6
HEADS = 4
KEY_VALUE_HEADS = 2
HEAD = 64
END_OF_TEXT, PAD = 0, 1

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "dtype": "bfloat16",
    "eos_token_id": END_OF_TEXT,
    "head_dim": HEAD,
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "initializer_range": 0.02,
    "intermediate_size": INTERMEDIATE,
    "max_position_embeddings": 32768,
    "model_type": "qwen3",
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": KEY_VALUE_HEADS,
    "pad_token_id": PAD,
    "rms_norm_eps": 1e-06,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    "tie_word_embeddings": False,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}
GENERATION_CONFIG = {"do_sample": False, "eos_token_id": END_OF_TEXT, "pad_token_id": PAD}
TOKENIZER_CONFIG = {
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|endoftext|>",
    "model_max_length": 32768,
    "pad_token": "<|pad|>",
    "tokenizer_class": "PreTrainedTokenizerFast",
}

# Standard deviations are 147.8 / 2**exponent. Projections keep the scale of what they
# read (1.16 from 256 inputs, 1.0 from 768); logits spread with a deviation of 4.6.
EXPONENTS = {
    "embed_tokens": 7,
    "q_proj": 11,
    "k_proj": 11,
    "v_proj": 11,
    "o_proj": 11,
    "gate_proj": 11,
    "up_proj": 11,
    "down_proj": 12,
    "lm_head": 9,
}
LAYER_SHAPES = {
    "input_layernorm": (HIDDEN,),
    "self_attn.q_proj": (HEADS * HEAD, HIDDEN),
    "self_attn.k_proj": (KEY_VALUE_HEADS * HEAD, HIDDEN),
    "self_attn.v_proj": (KEY_VALUE_HEADS * HEAD, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
    "self_attn.q_norm": (HEAD,),
    "self_attn.k_norm": (HEAD,),
    "post_attention_layernorm": (HIDDEN,),
    "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
    "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of the model with its shape."""
    yield "model.embed_tokens", (VOCABULARY, HIDDEN)
    for layer in range(LAYERS):
        for name, shape in LAYER_SHAPES.items():
            yield f"model.layers.{layer}.{name}", shape
    yield "model.norm", (HIDDEN,)
    yield "lm_head", (VOCABULARY, HIDDEN)


def tensors() -> Iterator[Tensor]:
    for module, shape in shapes():
        name, kind = f"{module}.weight", module.rpartition(".")[2]
        if kind in EXPONENTS:
            content = hashed_weights(f"{NAME}/{name}", prod(shape), EXPONENTS[kind])
        else:
            content = ones(prod(shape))
        yield Tensor(name, shape, content)


def files() -> dict[str, bytes]:
    """Content of every file of the model, by file name."""
    tokenizer = resources.files(__package__).joinpath("tokenizer.json").read_bytes()
    return {
        "config.json": _json(CONFIG),
        "generation_config.json": _json(GENERATION_CONFIG),
        "model.safetensors": safetensors_bytes(tensors()),
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": _json(TOKENIZER_CONFIG),
    }


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
