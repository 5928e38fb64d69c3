"""What a model's Hugging Face configuration says of the keys and values that it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL, SLIDING = "full_attention", "sliding_attention"
EXPERTS = ".experts."
"""In the name of every parameter of a routed expert; shared experts are called otherwise."""
EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")


def cache_shape(config: Any, kv_value_bits: int | None) -> dict[str, Any]:
    """Keys and values of a token, if they are kept plainly; fields of ``ModelShape``.

    Args:
        config: the text part of the model's configuration.
        kv_value_bits: bits of one number of the cache; ``None`` is unknown.
    """
    kinds = list(_layers(config))
    if not set(kinds) <= {FULL, SLIDING} or getattr(config, "kv_lora_rank", None):
        return {}
    return {
        "layers": len(kinds) or None,
        "sliding_layers": kinds.count(SLIDING),
        "sliding_window": getattr(config, "sliding_window", None),
        "kv_heads": _kv_heads(config),
        "head_dim": _head_dim(config),
        "kv_value_bits": kv_value_bits,
    }


def experts_of(config: Any) -> int | None:
    """Routed experts of a layer; ``None`` for a model without any."""
    counts = [getattr(config, name, None) for name in EXPERT_COUNTS]
    return next((count for count in counts if isinstance(count, int)), None)


def _layers(config: Any) -> Iterator[str]:
    kinds = getattr(config, "layer_types", None)
    if kinds:
        yield from kinds
        return
    kind = SLIDING if getattr(config, "sliding_window", None) else FULL
    yield from [kind] * (getattr(config, "num_hidden_layers", None) or 0)


def _kv_heads(config: Any) -> int | None:
    heads = getattr(config, "num_key_value_heads", None)
    if heads is None and not hasattr(config, "multi_query"):
        heads = getattr(config, "num_attention_heads", None)
    return heads


def _head_dim(config: Any) -> int | None:
    width = getattr(config, "head_dim", None)
    heads, hidden = (getattr(config, name, None) for name in ("num_attention_heads", "hidden_size"))
    return width or (hidden // heads if heads and hidden else None)
