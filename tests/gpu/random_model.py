"""A model of a billion parameters in the shape of a Llama, made here: no download, same bytes.

What it writes means nothing; what it costs is what a trained one of this shape costs, up to
what the values of weights do to power.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from math import log2, prod
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.builtin.tiny import GENERATION_CONFIG, TOKENIZER_CONFIG
from pytest_llem.engines.builtin.weights import hashed_weights, ones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEVIATION = 147.8
"""Standard deviation of ``hashed_weights`` with the exponent 0."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes of a Llama; the default has 1.10 billion parameters, 2.2 GB in bfloat16."""

    hidden: int = 2048
    intermediate: int = 8192
    layers: int = 16
    heads: int = 32
    kv_heads: int = 8
    vocabulary: int = 32000
    seed: int = 0

    @property
    def head(self) -> int:
        return self.hidden // self.heads

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every tensor of the model with its shape."""
        kv = self.kv_heads * self.head
        yield "model.embed_tokens", (self.vocabulary, self.hidden)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}"
            yield f"{prefix}.input_layernorm", (self.hidden,)
            for name, rows in (("q_proj", self.hidden), ("k_proj", kv), ("v_proj", kv)):
                yield f"{prefix}.self_attn.{name}", (rows, self.hidden)
            yield f"{prefix}.self_attn.o_proj", (self.hidden, self.hidden)
            yield f"{prefix}.post_attention_layernorm", (self.hidden,)
            for name in ("gate_proj", "up_proj"):
                yield f"{prefix}.mlp.{name}", (self.intermediate, self.hidden)
            yield f"{prefix}.mlp.down_proj", (self.hidden, self.intermediate)
        yield "model.norm", (self.hidden,)
        yield "lm_head", (self.vocabulary, self.hidden)

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for _, shape in self.shapes())

    def config(self) -> dict[str, Any]:
        return {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "bos_token_id": None,
            "dtype": "bfloat16",
            "eos_token_id": 0,
            "head_dim": self.head,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": 32768,
            "model_type": "llama",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "pad_token_id": 1,
            "rms_norm_eps": 1e-05,
            "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
            "tie_word_embeddings": False,
            "use_cache": True,
            "vocab_size": self.vocabulary,
        }


def write(recipe: Recipe, folder: Path) -> Path:
    """Write the model to *folder*, one tensor at a time; the folder.

    Weights are SHAKE128 over the seed and the tensor's name, so every machine gets the same;
    those of a projection have the deviation that keeps the scale of what it reads.

    Raises:
        OSError: there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "config.json": recipe.config(),
        "generation_config.json": GENERATION_CONFIG,
        "tokenizer_config.json": TOKENIZER_CONFIG,
    }
    for name, value in texts.items():
        (folder / name).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
    tokenizer = resources.files("pytest_llem.engines.builtin").joinpath("tokenizer.json")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    with (folder / "model.safetensors").open("wb") as file:
        file.write(_header(recipe))
        for name, shape in recipe.shapes():
            file.write(_content(recipe, name, shape))
    return folder


def _header(recipe: Recipe) -> bytes:
    """That of the safetensors format, before any tensor's bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in recipe.shapes():
        end = offset + 2 * prod(shape)
        about = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        header[f"{name}.weight"], offset = about, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _content(recipe: Recipe, name: str, shape: tuple[int, ...]) -> bytes:
    if len(shape) == 1:
        return ones(shape[0])
    wanted = 1.0 if name == "model.embed_tokens" else shape[1] ** -0.5
    exponent = round(log2(DEVIATION / wanted))
    return hashed_weights(f"{recipe.seed}/{recipe.hidden}/{name}", prod(shape), exponent)
