"""How large a transformers model is, for the floor of its energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.engines.transformers_load import Loaded

FULL, SLIDING = "full_attention", "sliding_attention"
EXPERTS = ".experts."
"""In the name of every parameter of a routed expert; shared experts are called otherwise."""


def shape(loaded: Loaded) -> dict[str, Any]:
    """The fields of ``energy.model_shape.ModelShape``, as far as they can be told.

    Weights count as they lie in memory, quantized ones packed.
    """
    model = loaded.model
    config = model.config.get_text_config()
    looked_up = _looked_up(model)
    bits = _packed_bits(model)
    return {
        "parameters": sum(_numbers(weight, bits) for weight in model.parameters()),
        "weight_bytes": sum(map(_bytes, model.parameters())),
        "lookup_parameters": sum(_numbers(weight, bits) for weight in looked_up),
        "lookup_bytes": sum(map(_bytes, looked_up)),
        **_experts(model, config, bits),
        **_cache(loaded, config),
        "dtype": _dtype(model),
    }


def _dtype(model: Any) -> str:
    name = str(model.dtype).removeprefix("torch.")
    return "float8" if name.startswith("float8") else name


def _packed_bits(model: Any) -> int:
    quantization = getattr(model.config, "quantization_config", None)
    return int(getattr(quantization, "bits", None) or 4)


def _numbers(weight: Any, bits: int) -> int:
    """How many numbers a tensor holds; packed ones hold several in an integer."""
    held = {"torch.uint8": 2, "torch.int32": 32 // bits}.get(str(weight.dtype), 1)
    return int(weight.numel() * held)


def _bytes(weight: Any) -> int:
    return int(weight.numel() * weight.element_size())


def _looked_up(model: Any) -> list[Any]:
    """The input embedding, unless it is the output's too and thus read in full."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    tied = outputs is not None and outputs.weight is inputs.weight
    return [] if tied else [inputs.weight]


def _experts(model: Any, config: Any, bits: int) -> dict[str, Any]:
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    counts = [count for name in names if isinstance(count := getattr(config, name, None), int)]
    experts = [weight for name, weight in model.named_parameters() if EXPERTS in name]
    if not experts or not counts:
        return {}
    return {
        "expert_parameters": sum(_numbers(weight, bits) for weight in experts),
        "expert_bytes": sum(map(_bytes, experts)),
        "experts": counts[0],
        "experts_per_token": getattr(config, "num_experts_per_tok", None),
    }


def _cache(loaded: Loaded, config: Any) -> dict[str, Any]:
    """Keys and values of a token, if they are kept plainly."""
    layers = list(_layers(config))
    if not set(layers) <= {FULL, SLIDING} or getattr(config, "kv_lora_rank", None):
        return {}
    quantized = loaded.config.transformers.cache_implementation == "quantized"
    return {
        "layers": len(layers) or None,
        "sliding_layers": layers.count(SLIDING),
        "sliding_window": getattr(config, "sliding_window", None),
        "kv_heads": _kv_heads(config),
        "head_dim": _head_dim(config),
        "kv_value_bits": None if quantized else 8 * loaded.model.dtype.itemsize,
    }


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
