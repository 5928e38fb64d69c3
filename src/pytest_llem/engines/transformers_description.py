"""What really took effect when transformers loaded a model."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.torch_device import computes, device_name, device_uuid
from pytest_llem.engines.transformers_options import shipped_quantization
from pytest_llem.engines.transformers_shape import shape

if TYPE_CHECKING:
    from pytest_llem.engines.transformers_load import Loaded

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "bitsandbytes")


def describe(loaded: Loaded) -> dict[str, Any]:
    """JSON values only; ``None`` is unknown or not there."""
    torch, model, device = loaded.torch, loaded.model, str(loaded.device)
    dtype = str(model.dtype).removeprefix("torch.")
    return {
        "engine": "transformers",
        "versions": versions(torch),
        "device": device,
        "device_type": loaded.device.type,
        "device_name": device_name(torch, device),
        "device_uuids": [device_uuid(torch, cuda) for cuda in loaded.cuda_devices],
        "device_map": _device_map(model),
        "dtype": dtype,
        "dtype_is_native": computes(torch, dtype, device),
        "attn_implementation": model.config._attn_implementation,  # noqa: SLF001 - no public name
        "quantization": shipped_quantization(model),
        "parameters": model.num_parameters(),
        "memory_bytes": model.get_memory_footprint(),
        "shape": shape(loaded),
        "positions": loaded.positions,
        "vocabulary_size": loaded.tokenizer.vocabulary_size,
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "seed": loaded.config.seed,
        "model": {
            "name": loaded.config.model,
            "kind": loaded.source.kind,
            "path_or_id": loaded.source.path_or_id,
            "revision": loaded.source.revision,
            "sha256": loaded.source.sha256,
            "architecture": type(model).__name__,
        },
        "effective": effective(loaded),
        "generation": {
            "batching": "static",
            "decoding": _decoding(loaded),
            "end_ids": list(loaded.end_ids),
            "cache_implementation": loaded.config.transformers.cache_implementation or "default",
            "torch_compile": loaded.config.transformers.torch_compile,
        },
    }


def effective(loaded: Loaded) -> dict[str, Any]:
    """What took effect, by the names of the experiment's fields and of its section's."""
    model, torch = loaded.model, loaded.torch
    generation = loaded.generation_config(1)
    compiled = loaded.compiles_itself or getattr(model, "_compiled_call_impl", None) is not None
    found = {
        "dtype": str(model.dtype).removeprefix("torch."),
        "quantization": _quantization(model),
        "tensor_parallel_size": 1,
        "pipeline_parallel_size": 1,
        "attn_implementation": model.config._attn_implementation,  # noqa: SLF001 - no public name
        "torch_compile": compiled,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "assistant_model": loaded.assistant.name if loaded.assistant else None,
    }
    experts = getattr(model.config, "_experts_implementation", None)
    if experts is not None:
        found["experts_implementation"] = experts
    given = loaded.config.transformers.given()
    return found | {
        name: _json(getattr(generation, name)) for name in given if name in vars(generation)
    }


def _quantization(model: Any) -> str | None:
    """In the words of an experiment, which has no name for the library that does it."""
    shipped = shipped_quantization(model)
    if shipped != "bitsandbytes":
        return shipped
    eight = getattr(model.config.quantization_config, "load_in_8bit", False)
    return "int8" if eight else "int4"


def _decoding(loaded: Loaded) -> str:
    config = loaded.generation_config(1)
    if (config.num_beams or 1) > 1:
        return "beams"
    return "sampling" if config.do_sample else "greedy"


def _json(value: Any) -> Any:
    """*value* in JSON's types; settings that are objects by their members."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    return json.loads(json.dumps(value, default=str))


def versions(torch: Any) -> dict[str, str | None]:
    """Versions of everything between the model and the device; ``None`` if not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    found["torch"] = str(torch.__version__)  # with its build, such as 2.13.0+cpu
    found["cuda"] = torch.version.cuda
    return found


def _device_map(model: Any) -> dict[str, str] | None:
    """Modules to devices where the model is spread or was read straight to its device."""
    placed = getattr(model, "hf_device_map", None)
    return None if placed is None else {name: str(device) for name, device in placed.items()}
