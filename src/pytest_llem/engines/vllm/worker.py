"""What each of vLLM's workers is asked; runs inside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llem.engines.config_shape import EXPERTS
from pytest_llem.engines.torch_device import device_name, device_uuid

if TYPE_CHECKING:
    from collections.abc import Iterable

EMBEDDING = "VocabParallelEmbedding"
"""The input embedding, also where it is the output's; one of the output alone is called otherwise."""

PACKED_SIZES = (
    ("input_size_per_partition", "output_size_per_partition"),
    ("num_embeddings_per_partition", "embedding_dim"),
)


class WorkerExtension:
    """Methods that vLLM mixes into its worker (``worker_extension_cls``); answers are JSON values."""

    device: Any
    model_runner: Any

    def llem_synchronize(self) -> None:
        """Wait until the worker's device has finished."""
        import torch

        if torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def llem_describe(self) -> dict[str, Any]:
        """The worker's device, its part of the model, and how attention is computed."""
        import torch

        model, device = self.model_runner.get_model(), _device(self.device)
        attention = [module for module in model.modules() if hasattr(module, "attn_backend")]
        return {
            "device": device,
            "device_name": device_name(torch, device),
            "device_uuid": device_uuid(torch, device),
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "attention_backends": sorted({_backend(module) for module in attention}),
            "kv_cache_dtypes": sorted(_cache_types(attention)),
            "kv_value_bits": _cache_bits(attention),
            "architecture": type(model).__name__,
            "weight_dtypes": sorted({_plain(weight.dtype) for weight in model.parameters()}),
            **_weights(model),
        }


def _device(device: Any) -> str:
    if device.type == "cuda" and device.index is None:
        return "cuda:0"
    return str(device)


def _weights(model: Any) -> dict[str, int]:
    """Numbers and bytes of the weights on this worker, packed ones as they lie."""
    owned = [_owned(name, module) for name, module in model.named_modules(remove_duplicate=True)]
    weights = [weight for found in owned for weight in found]
    return {
        **_size("weight", weights),
        **_size("lookup", [one for one in weights if one.looked_up]),
        **_size("expert", [one for one in weights if EXPERTS in f".{one.name}."]),
    }


class Weight(NamedTuple):
    """One tensor of weights; numbers with less than a byte are counted each."""

    name: str
    numbers: int
    bytes: int
    looked_up: bool


def _owned(name: str, module: Any) -> list[Weight]:
    """What a module has itself, without its children."""
    kind = type(module).__name__
    return [
        Weight(f"{name}.{own}", *_numbers_and_bytes(module, own, weight), kind == EMBEDDING)
        for own, weight in module.named_parameters(recurse=False)
    ]


def _numbers_and_bytes(module: Any, own: str, weight: Any) -> tuple[int, int]:
    """Of a weight that was packed for the CPU, which leaves an empty one behind, by its shape."""
    if own == "weight" and not weight.numel():
        numbers = _packed_numbers(module)
        return numbers, numbers * int(weight.element_size())
    held = {"torch.uint8": 2, "torch.int32": 8}.get(str(weight.dtype), 1)
    return int(weight.numel()) * held, int(weight.numel() * weight.element_size())


def _packed_numbers(module: Any) -> int:
    for sizes in PACKED_SIZES:
        if all(hasattr(module, size) for size in sizes):
            return math.prod(int(getattr(module, size)) for size in sizes)
    return 0


def _size(name: str, weights: Iterable[Weight]) -> dict[str, int]:
    kept = list(weights)
    return {
        f"{name}_numbers": sum(one.numbers for one in kept),
        f"{name}_bytes": sum(one.bytes for one in kept),
    }


def _backend(module: Any) -> str:
    backend = module.attn_backend
    get_name = getattr(backend, "get_name", None)
    return str(get_name() if get_name is not None else getattr(backend, "__name__", backend))


def _cache_types(attention: Iterable[Any]) -> set[str]:
    types = (getattr(module, "kv_cache_torch_dtype", None) for module in attention)
    return {_plain(dtype) for dtype in types if dtype is not None}


def _cache_bits(attention: Iterable[Any]) -> int | None:
    types = [getattr(module, "kv_cache_torch_dtype", None) for module in attention]
    bits = {8 * dtype.itemsize for dtype in types if dtype is not None}
    return bits.pop() if len(bits) == 1 else None


def _plain(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
