"""What families of models are made of, as their code in transformers has it.

Every family here is checked parameter by parameter against transformers' own models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Switch = bool | str
"""Whether there is something; a text is the configuration's field that says so, false where that
is missing, and a text with ``+`` before it one that is true where it is missing."""


@dataclass(frozen=True, slots=True)
class Family:
    """How the layers of a family are built; the defaults are those of Llama."""

    gated: bool = True
    """Whether the feed-forward part has a gate: three matrices rather than two."""
    norms: int = 2
    """Normalizations of a layer over the hidden size."""
    norm_bias: bool = False
    qkv_bias: Switch = False
    o_bias: Switch = False
    mlp_bias: Switch = False
    qk_norm: Literal["head", "all"] | None = None
    """Normalizations of queries and keys: over a head, or over all heads."""
    qk_norm_if: Switch = True
    tied: bool = False
    """Whether input and output embedding are one where the configuration does not say."""
    head_bias: bool = False
    head_dim: int | None = None
    """Where the configuration does not say; ``None`` is hidden size over heads."""
    kv_heads: int | None = None
    positions: int | None = None
    """Learned positions: so many beyond the longest context; ``None`` if there are none."""
    final_norm_if: Switch = True
    embedding_width: str | None = None
    """Field with the width of the embedding, which is projected where it is not the hidden size."""
    sinks: bool = False
    """Whether each head of queries has a sink."""
    latent: bool = False
    """Whether keys and values are kept compressed (multi-head latent attention)."""
    expert_width: str | None = None
    """Field with the width of an expert; ``None`` for a family without experts."""
    expert_bias: bool = False
    shared: Literal["width", "count"] | None = None
    """Experts that every token passes, by the field that gives their width or their number."""
    shared_gate: bool = False
    first_dense: bool = False
    """Whether the first layers have no experts (``first_k_dense_replace``)."""
    sparse_step: bool = False
    """Whether only some layers have experts (``decoder_sparse_step``, ``mlp_only_layers``)."""
    sliding: Literal["all", "even", "pattern", "upper"] | None = "all"
    """Which layers look back no further than the window, where the configuration has one and
    does not list its layers."""
    pattern: int = 0
    """Every so many layers is a full one."""


LLAMA = Family(qkv_bias="attention_bias", o_bias="attention_bias", mlp_bias="mlp_bias")
FAMILIES: dict[str, Family] = {
    "llama": LLAMA,
    "granite": LLAMA,
    "seed_oss": Family(
        qkv_bias="+attention_bias", o_bias="attention_out_bias", mlp_bias="mlp_bias"
    ),
    "mistral": Family(),
    "ministral3": Family(),
    "phi3": Family(),
    "smollm3": Family(
        qkv_bias="attention_bias", o_bias="attention_bias", mlp_bias="mlp_bias", tied=True
    ),
    "qwen2": Family(qkv_bias=True, sliding="upper"),
    "qwen3": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm="head",
        head_dim=128,
        sliding="upper",
    ),
    "gemma": Family(
        qkv_bias="attention_bias", o_bias="attention_bias", tied=True, head_dim=256, sliding=None
    ),
    "gemma2": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        norms=4,
        tied=True,
        head_dim=256,
        sliding="even",
    ),
    "gemma3_text": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        norms=4,
        qk_norm="head",
        tied=True,
        head_dim=256,
        sliding="pattern",
        pattern=6,
    ),
    "olmo2": Family(qkv_bias="attention_bias", o_bias="attention_bias", qk_norm="all"),
    "olmo3": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm="all",
        sliding="pattern",
        pattern=4,
    ),
    "cohere": Family(
        norms=1, qkv_bias="attention_bias", o_bias="attention_bias", tied=True, sliding=None
    ),
    "cohere2": Family(
        norms=1,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        tied=True,
        sliding="pattern",
        pattern=4,
    ),
    "glm4": Family(norms=4, qkv_bias="+attention_bias", head_dim=128),
    "exaone4": Family(qk_norm="head", sliding="pattern", pattern=4),
    "stablelm": Family(norm_bias=True, qkv_bias="use_qkv_bias"),
    "starcoder2": Family(
        gated=False,
        norm_bias=True,
        qkv_bias="+use_bias",
        o_bias="+use_bias",
        mlp_bias="+use_bias",
        tied=True,
    ),
    "phi": Family(
        gated=False,
        norms=1,
        norm_bias=True,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        head_bias=True,
    ),
    "gpt2": Family(
        gated=False,
        norm_bias=True,
        qkv_bias=True,
        o_bias=True,
        mlp_bias=True,
        tied=True,
        positions=0,
    ),
    "gpt_neox": Family(
        gated=False,
        norm_bias=True,
        qkv_bias="+attention_bias",
        o_bias="+attention_bias",
        mlp_bias=True,
    ),
    "opt": Family(
        gated=False,
        norm_bias=True,
        qkv_bias="+enable_bias",
        o_bias="+enable_bias",
        mlp_bias="+enable_bias",
        tied=True,
        positions=2,
        final_norm_if="+do_layer_norm_before",
        embedding_width="word_embed_proj_dim",
    ),
    "mixtral": Family(expert_width="intermediate_size", kv_heads=8),
    "qwen2_moe": Family(
        qkv_bias="+qkv_bias",
        expert_width="moe_intermediate_size",
        shared="width",
        shared_gate=True,
        sparse_step=True,
        sliding="upper",
    ),
    "qwen3_moe": Family(
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm="head",
        expert_width="moe_intermediate_size",
        sparse_step=True,
        sliding="upper",
    ),
    "gpt_oss": Family(
        qkv_bias="+attention_bias",
        o_bias="+attention_bias",
        sinks=True,
        head_dim=64,
        expert_width="intermediate_size",
        expert_bias=True,
        sliding="even",
    ),
    "deepseek_v2": Family(
        latent=True, expert_width="moe_intermediate_size", shared="count", first_dense=True
    ),
    "deepseek_v3": Family(
        latent=True, expert_width="moe_intermediate_size", shared="count", first_dense=True
    ),
    "glm4_moe": Family(
        qkv_bias="attention_bias",
        qk_norm="head",
        qk_norm_if="use_qk_norm",
        expert_width="moe_intermediate_size",
        shared="count",
        first_dense=True,
    ),
}
"""By ``model_type``."""
ALIASES = {"gemma3": "gemma3_text", "kimi_k2": "deepseek_v3", "mistral3": "mistral"}
