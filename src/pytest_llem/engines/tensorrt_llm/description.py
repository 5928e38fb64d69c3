"""What really took effect when TensorRT-LLM loaded a model, as far as it tells."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.tensorrt_llm import KV_CACHE_FIELDS, SAMPLING_FIELDS
from pytest_llem.engines.config_shape import cache_shape
from pytest_llem.engines.tensorrt_llm.checkpoint import quantization_of, weights_of
from pytest_llem.engines.tensorrt_llm.installed import tensorrt_version
from pytest_llem.engines.tensorrt_llm.plain import plain
from pytest_llem.engines.tensorrt_llm.quantization import names
from pytest_llem.engines.tensorrt_llm.sampling import draws, parameters_of
from pytest_llem.engines.tensorrt_llm.surroundings import switches

if TYPE_CHECKING:
    from pytest_llem.engines.tensorrt_llm.loaded import Loaded

PACKAGES = ("transformers", "tokenizers", "safetensors", "nvidia-modelopt", "mpi4py", "triton")
LIMITS = ("max_batch_size", "max_num_tokens", "max_seq_len", "max_input_len", "max_beam_width")
BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "fp8": 8, "int8": 8, "nvfp4": 4}


def describe(loaded: Loaded, *, streaming: bool, processes: int) -> dict[str, Any]:
    """JSON values only; ``None`` is unknown or not there.

    Args:
        loaded: the model.
        streaming: whether requests are sent one by one.
        processes: how many processes the engine has beside this one.
    """
    source, gpus = loaded.source, loaded.gpus
    return {
        "engine": "tensorrt_llm",
        "backend": loaded.installed.backend,
        "versions": versions(loaded.installed.version),
        "device": "cuda:0",
        "device_type": "cuda",
        "device_name": gpus[0]["name"] if gpus else None,
        "device_uuids": [gpu["uuid"] for gpu in gpus if gpu["uuid"]],
        "compute_capability": gpus[0]["compute_capability"] if gpus else None,
        "dtype": dtype(loaded),
        "quantization": quantization(loaded),
        "shape": shape(loaded),
        "positions": loaded.limits().tokens,
        "vocabulary_size": loaded.limits().vocabulary,
        "limits": {name: _limit(loaded, name) for name in LIMITS},
        "kv_cache": plain(getattr(loaded.arguments, "kv_cache_config", None)),
        "parallel": _parallel(loaded),
        "arguments": _arguments(loaded),
        "build": _build(loaded),
        "processes": processes,
        "environment": switches(loaded.environment)
        | {"CUDA_VISIBLE_DEVICES": loaded.environment.get("CUDA_VISIBLE_DEVICES")},
        "model": {
            "name": loaded.config.model,
            "kind": source.kind,
            "path_or_id": source.path_or_id,
            "revision": source.revision,
            "sha256": source.sha256,
            "architecture": next(
                iter(getattr(loaded.model_config, "architectures", None) or ()), None
            ),
        },
        "effective": effective(loaded),
        "generation": {
            "batching": "continuous",
            "decoding": "sampled" if draws(loaded.sampling) else "greedy",
            "interface": "LLM.generate_async" if streaming else "LLM.generate",
            "token_stamps": "received" if streaming else None,
        },
    }


def versions(version: str) -> dict[str, str | None]:
    """Versions of everything between the model and the device; ``None`` if not installed."""
    import torch

    found: dict[str, str | None] = {"python": platform.python_version(), "tensorrt_llm": version}
    for package in PACKAGES:
        found[package] = _version(package)
    return {
        **found,
        "tensorrt": tensorrt_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
    }


def dtype(loaded: Loaded) -> str | None:
    """What is computed in.

    A compiled engine says it itself. The PyTorch backend takes the model's own, whatever
    ``LLM`` is given: its loader reads the checkpoint's configuration and is not told
    (``_load_and_validate_config`` of ``_torch/pyexecutor/model_loader.py``); one that names no
    type is computed in bfloat16 (``ModelConfig.torch_dtype``).
    """
    if loaded.installed.compiled:
        found = loaded.pretrained_config.get("dtype")
        return None if found is None else str(found)
    if loaded.installed.backend != "pytorch":
        return None
    of_model = getattr(loaded.model_config, "dtype", None)
    of_model = of_model or getattr(loaded.model_config, "torch_dtype", None)
    return str(of_model or "bfloat16").removeprefix("torch.")


def quantization(loaded: Loaded) -> str | None:
    """How weights are quantized, in TensorRT-LLM's words; ``None`` if they are not."""
    built = loaded.pretrained_config.get("quantization")
    if isinstance(built, dict):
        return built.get("quant_algo")
    return quantization_of(loaded.folder)


def shape(loaded: Loaded) -> dict[str, Any] | None:
    """The fields of ``energy.model_shape.ModelShape``, from the files of the model.

    ``None`` where what is in memory is something else: weights that were quantized or converted
    while the engine was built, or of which each GPU has a copy.
    """
    weights = weights_of(loaded.folder)
    kept = quantization(loaded) == quantization_of(loaded.folder)
    if weights is None or not kept or not _computes_as_stored(loaded):
        return None
    return {
        "parameters": weights.parameters,
        "weight_bytes": weights.bytes,
        "lookup_parameters": weights.lookup_parameters,
        "lookup_bytes": weights.lookup_bytes,
        **cache_shape(loaded.model_config, _kv_bits(loaded)),
        "dtype": dtype(loaded),
        "most_requests": _limit(loaded, "max_batch_size"),
    }


def _computes_as_stored(loaded: Loaded) -> bool:
    stored = getattr(loaded.model_config, "dtype", None)
    stored = stored or getattr(loaded.model_config, "torch_dtype", None)
    used = dtype(loaded)
    return used is not None and str(stored or used).removeprefix("torch.") == used


def _kv_bits(loaded: Loaded) -> int | None:
    cache = getattr(loaded.arguments, "kv_cache_config", None)
    named = getattr(cache, "dtype", "auto")
    return BITS.get(str(dtype(loaded) if named in {None, "auto"} else named))


def effective(loaded: Loaded) -> dict[str, Any]:
    """What became of the options that were set, read back from ``LLM`` and its engine."""
    config, arguments = loaded.config, loaded.arguments
    asked = config.tensorrt_llm.given()
    found: dict[str, Any] = {name: _told(loaded, name, value) for name, value in asked.items()}
    found |= {
        "backend": loaded.installed.backend,
        "dtype": dtype(loaded),
        "quantization": _quantization_as_asked(loaded),
        "tensor_parallel_size": getattr(arguments, "tensor_parallel_size", None),
        "pipeline_parallel_size": getattr(arguments, "pipeline_parallel_size", None),
    }
    return {name: value for name, value in found.items() if value is not None}


def _quantization_as_asked(loaded: Loaded) -> str | None:
    asked, really = loaded.config.quantization, quantization(loaded)
    if asked is None:
        return None
    return asked if names(asked, really) else str(really)


def _told(loaded: Loaded, name: str, wanted: Any) -> Any:
    """An option as it took effect; ``None`` if nothing tells."""
    if name in LIMITS:
        return _limit(loaded, name)
    if name in SAMPLING_FIELDS:
        parameters = parameters_of(loaded.installed.package, loaded.sampling)
        return _like(wanted, getattr(parameters, name, None))
    if name in KV_CACHE_FIELDS:
        cache = getattr(loaded.arguments, "kv_cache_config", None)
        return _like(wanted, getattr(cache, KV_CACHE_FIELDS[name], None))
    if name == "build_config" and loaded.build_config:
        return _like(wanted, loaded.build_config)
    return _like(wanted, getattr(loaded.arguments, name, None))


def _like(wanted: Any, found: Any) -> Any:
    """*found* in JSON's types; of an object, the members that *wanted* has."""
    if not isinstance(wanted, dict) or found is None:
        return plain(found)
    members = {
        key: found.get(key) if isinstance(found, dict) else getattr(found, key, None)
        for key in wanted
    }
    return {key: _like(wanted[key], value) for key, value in members.items() if value is not None}


def _limit(loaded: Loaded, name: str) -> int | None:
    """The lower of what the engine was built with and what ``LLM`` runs it with."""
    found = [loaded.build_config.get(name), getattr(loaded.arguments, name, None)]
    return min((one for one in found if isinstance(one, int)), default=None)


def _parallel(loaded: Loaded) -> dict[str, Any]:
    fields = (
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "context_parallel_size",
        "moe_tensor_parallel_size",
        "moe_expert_parallel_size",
        "enable_attention_dp",
    )
    return {name: plain(getattr(loaded.arguments, name, None)) for name in fields}


def _arguments(loaded: Loaded) -> dict[str, Any]:
    """Further choices, whether they were made here or by ``LLM``."""
    fields = (
        "attn_backend",
        "cuda_graph_config",
        "disable_overlap_scheduler",
        "enable_autotuner",
        "enable_chunked_prefill",
        "sampler_type",
        "scheduler_config",
        "speculative_config",
        "stream_interval",
        "torch_compile_config",
    )
    present = ((name, getattr(loaded.arguments, name, None)) for name in fields)
    return {name: plain(value) for name, value in present if value is not None}


def _build(loaded: Loaded) -> dict[str, Any] | None:
    """The compiled engine, and how long it took to build, whenever that was."""
    engine = loaded.engine
    if engine is None:
        return None
    return {
        "key": engine.key,
        "folder": str(engine.folder),
        "bytes": engine.bytes,
        "build_s": engine.build_s,
        "reused": engine.reused,
        "rebuilt_because": engine.rebuilt_because,
        "config": loaded.build_config,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
