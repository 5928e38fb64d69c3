"""From a configuration to the blocks of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from pytest_llem.plan.memory.blocks import Block, Blocks, linear, spread
from pytest_llem.plan.memory.facts import ModelFacts, UnknownModelError
from pytest_llem.plan.memory.families import ALIASES, FAMILIES, LLAMA
from pytest_llem.plan.memory.vision import vision_blocks

if TYPE_CHECKING:
    from pytest_llem.plan.memory.families import Family, Switch

ATTENTION_KINDS = frozenset({"full_attention", "sliding_attention", "chunked_attention"})
OTHER_KINDS = ("mamba", "ssm", "rwkv", "linear_num_value_heads", "state_size", "conv_kernel")
"""In the names of fields that only models with other layers than attention have."""


def family_of(facts: ModelFacts) -> tuple[Family, bool]:
    """The family, and whether it is known; others are taken to be like Llama."""
    name = ALIASES.get(facts.family, facts.family)
    known = FAMILIES.get(name)
    return known or _resembling(facts), known is not None


def blocks_of(facts: ModelFacts) -> Blocks:
    """All blocks of a model.

    Raises:
        UnknownModelError: the configuration says too little, or describes a model of another
            kind than a decoder with attention in every layer.
    """
    _refuse_other_kinds(facts)
    family, known = family_of(facts)
    found = [*_outside(facts, family), *_layers(facts, family)]
    found += vision_blocks(facts) if known else []
    why = None
    if not known:
        name = f"model_type {facts.family!r}" if facts.family else "no model_type"
        why = f"{name} is not known here: counted as if it were like Llama"
    elif "vision_config" in facts.raw and not any(block.part == "vision" for block in found):
        why = "its vision part is not counted"
    return Blocks(tuple(found), why)


def _resembling(facts: ModelFacts) -> Family:
    """Llama's layers with the parts that the configuration mentions."""
    family = LLAMA
    if facts.maybe("experts"):
        width = "moe_intermediate_size"
        width = width if facts.maybe(width) else "intermediate_size"
        family = replace(family, expert_width=width, first_dense=True)
    if facts.maybe("n_shared_experts"):
        family = replace(family, shared="count")
    if facts.maybe("kv_lora_rank"):
        family = replace(family, latent=True)
    if facts.text.get("intermediate_size") is None and facts.maybe("intermediate_size") is None:
        family = replace(family, gated=False)
    return family


def _refuse_other_kinds(facts: ModelFacts) -> None:
    if facts.raw.get("is_encoder_decoder"):
        raise UnknownModelError("it has an encoder, which is not counted")
    kinds = facts.text.get("layer_types")
    if isinstance(kinds, Sequence) and not set(map(str, kinds)) <= ATTENTION_KINDS:
        other = sorted(set(map(str, kinds)) - ATTENTION_KINDS)
        raise UnknownModelError(f"it has layers of another kind than attention: {', '.join(other)}")
    marks = [key for key in facts.text if any(mark in key for mark in OTHER_KINDS)]
    if marks and facts.family not in FAMILIES:
        raise UnknownModelError(f"it has layers of another kind than attention ({marks[0]})")


def _on(switch: Switch, facts: ModelFacts) -> bool:
    if isinstance(switch, bool):
        return switch
    return facts.flag(switch.removeprefix("+"), default=switch.startswith("+"))


def is_tied(facts: ModelFacts, family: Family) -> bool:
    """Whether input and output embedding are one."""
    for where in (facts.text, facts.raw):
        if isinstance(found := where.get("tie_word_embeddings"), bool):
            return found
    return family.tied


def _outside(facts: ModelFacts, family: Family) -> list[Block]:
    hidden, vocabulary = facts.number("hidden_size"), facts.number("vocab_size")
    width = facts.maybe(family.embedding_width, hidden) if family.embedding_width else hidden
    found = [Block("embedding", vocabulary, width or hidden)]
    if width and width != hidden:
        found += [Block("attention", hidden, width), Block("attention", width, hidden)]
    if family.positions is not None:
        longest = facts.number("max_position_embeddings") + family.positions
        found.append(Block("embedding", longest, hidden))
    if _on(family.final_norm_if, facts):
        found += _norms(family, hidden, 1)
    if not is_tied(facts, family):
        found.append(Block("head", vocabulary, width or hidden))
    if family.head_bias:
        found.append(Block("bias", vocabulary))
    return found


def _norms(family: Family, width: int, count: int) -> list[Block]:
    return [Block("norm", width, count=count * (1 + family.norm_bias))]


def _layers(facts: ModelFacts, family: Family) -> list[Block]:
    layers, hidden = facts.number("num_hidden_layers"), facts.number("hidden_size")
    attention = _latent(facts) if family.latent else _attention(facts, family)
    common = [*attention, *_norms(family, hidden, family.norms)]
    sparse = _sparse_layers(facts, family, layers)
    dense = (
        _feed_forward(facts, family, hidden, _dense_width(facts, family)) if sparse < layers else []
    )
    experts = _experts(facts, family, hidden) if sparse else []
    return [
        *spread(common, layers),
        *spread(dense, layers - sparse),
        *spread(experts, sparse),
    ]


def _dense_width(facts: ModelFacts, family: Family) -> int:
    return facts.number(
        "intermediate_size", None if family.gated else 4 * facts.number("hidden_size")
    )


def _attention(facts: ModelFacts, family: Family) -> list[Block]:
    hidden, heads = facts.number("hidden_size"), facts.heads
    kv_heads, width = kv_heads_of(facts, family), facts.head_dim(family.head_dim)
    qkv_bias, o_bias = _on(family.qkv_bias, facts), _on(family.o_bias, facts)
    found = [
        *linear("attention", hidden, heads * width, bias=qkv_bias),
        *linear("kv", hidden, kv_heads * width, bias=qkv_bias, count=2),
        *linear("attention", heads * width, hidden, bias=o_bias),
    ]
    if family.sinks:
        found.append(Block("bias", heads))
    if family.qk_norm and _on(family.qk_norm_if, facts):
        own = (1, 1) if family.qk_norm == "head" else (heads, kv_heads)
        found += [Block("norm", count * width) for count in own]
    return found


def kv_heads_of(facts: ModelFacts, family: Family) -> int:
    """Heads of keys and values."""
    if facts.maybe("num_key_value_heads") is None and family.kv_heads is not None:
        return family.kv_heads
    return facts.kv_heads


def _latent(facts: ModelFacts) -> list[Block]:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1)."""
    hidden, heads, rank = facts.number("hidden_size"), facts.heads, facts.number("kv_lora_rank")
    rotary, plain = facts.number("qk_rope_head_dim"), facts.number("qk_nope_head_dim")
    value, queries = facts.number("v_head_dim"), facts.maybe("q_lora_rank")
    biased = facts.flag("attention_bias")
    key = rotary + plain
    found = linear("kv", hidden, rank + rotary, bias=biased)
    found += [Block("norm", rank), Block("kv", heads * (plain + value), rank)]
    if queries:
        found += linear("attention", hidden, queries, bias=biased)
        found += [Block("norm", queries), Block("attention", heads * key, queries)]
    else:
        found.append(Block("attention", heads * key, hidden))
    return [*found, *linear("attention", heads * value, hidden, bias=biased)]


def _feed_forward(facts: ModelFacts, family: Family, hidden: int, width: int) -> list[Block]:
    bias = _on(family.mlp_bias, facts)
    return [
        *linear("dense", hidden, width, bias=bias, count=2 if family.gated else 1),
        *linear("dense", width, hidden, bias=bias),
    ]


def _experts(facts: ModelFacts, family: Family, hidden: int) -> list[Block]:
    experts, width = facts.number("experts"), facts.number(family.expert_width or "")
    bias = family.expert_bias
    found = [
        *linear("router", hidden, experts, bias=bias),
        *linear("expert", hidden, width, bias=bias, count=2 * experts),
        *linear("expert", width, hidden, bias=bias, count=experts),
    ]
    if family.shared:
        shared = (
            facts.number("shared_expert_intermediate_size")
            if family.shared == "width"
            else width * (facts.maybe("n_shared_experts") or 0)
        )
        found += [Block("dense", shared, hidden, 2), Block("dense", hidden, shared)]
    if family.shared_gate:
        found.append(Block("router", 1, hidden))
    return found


def _sparse_layers(facts: ModelFacts, family: Family, layers: int) -> int:
    """How many layers have experts."""
    if family.expert_width is None or not facts.maybe("experts"):
        return 0
    if family.first_dense:
        return max(layers - (facts.maybe("first_k_dense_replace") or 0), 0)
    if not family.sparse_step:
        return layers
    step, dense = facts.number("decoder_sparse_step", 1), facts.text.get("mlp_only_layers") or ()
    return sum((layer + 1) % step == 0 and layer not in dense for layer in range(layers))


def windows_of(facts: ModelFacts) -> tuple[int, int, int | None]:
    """Layers that see everything, layers that look back over a window only, and that window."""
    family, _ = family_of(facts)
    layers, window = facts.number("num_hidden_layers"), facts.maybe("sliding_window")
    kinds = facts.text.get("layer_types")
    if isinstance(kinds, Sequence) and not isinstance(kinds, str) and window:
        near = sum(kind == "sliding_attention" for kind in kinds)
        return layers - near, near, window
    near = _near_layers(facts, family, layers) if window else 0
    return layers - near, near, window if near else None


def _near_layers(facts: ModelFacts, family: Family, layers: int) -> int:
    match family.sliding:
        case "even":
            return ceil(layers / 2)
        case "pattern":
            every = facts.maybe("sliding_window_pattern") or facts.maybe("_sliding_window_pattern")
            return layers - layers // (every or family.pattern)
        case "upper":
            first = facts.maybe("max_window_layers", layers) or 0
            return max(layers - first, 0) if facts.flag("use_sliding_window") else 0
        case "all":
            return layers
        case _:
            return 0
