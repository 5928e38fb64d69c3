"""How large a transformers model is, for the floor of its energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.engines.config_shape import EXPERTS, cache_shape, experts_of

if TYPE_CHECKING:
    from pytest_llem.engines.transformers_load import Loaded


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
    experts = [weight for name, weight in model.named_parameters() if EXPERTS in name]
    count = experts_of(config)
    if not experts or count is None:
        return {}
    return {
        "expert_parameters": sum(_numbers(weight, bits) for weight in experts),
        "expert_bytes": sum(map(_bytes, experts)),
        "experts": count,
        "experts_per_token": getattr(config, "num_experts_per_tok", None),
    }


def _cache(loaded: Loaded, config: Any) -> dict[str, Any]:
    quantized = loaded.config.transformers.cache_implementation == "quantized"
    return cache_shape(config, None if quantized else 8 * loaded.model.dtype.itemsize)
