"""The ``tensorrt_llm`` section, in groups; fields but the own ones are named as ``LLM``'s arguments."""

from __future__ import annotations

from typing import ClassVar

from pytest_llem.config.engines.tensorrt_llm.building import (
    Building,
    Loading,
    Lora,
    Parallelism,
    Speculation,
)
from pytest_llem.config.engines.tensorrt_llm.running import Kernels, Memory, Scheduling

KV_CACHE_FIELDS = {
    "free_gpu_memory_fraction": "free_gpu_memory_fraction",
    "enable_block_reuse": "enable_block_reuse",
    "kv_cache_dtype": "dtype",
    "kv_cache_max_tokens": "max_tokens",
    "tokens_per_block": "tokens_per_block",
    "max_attention_window": "max_attention_window",
    "sink_token_length": "sink_token_length",
    "host_cache_size": "host_cache_size",
}
"""Options that are parameters of ``KvCacheConfig``, which ``kv_cache_config`` goes to, too."""


class TensorrtLlmOptions(
    Speculation, Lora, Building, Loading, Parallelism, Kernels, Memory, Scheduling
):
    """Parameters of TensorRT-LLM that move energy or speed.

    ``extra`` holds further arguments of ``LLM``.
    """

    ENGINE: ClassVar[str] = "tensorrt_llm"
    OWN: ClassVar[frozenset[str]] = frozenset(KV_CACHE_FIELDS)
    ELSEWHERE: ClassVar[dict[str, str]] = {
        "LLM.model": "model",
        "LLM.revision": "revision",
        "LLM.dtype": "dtype",
        "LLM.tensor_parallel_size": "tensor_parallel_size",
        "LLM.pipeline_parallel_size": "pipeline_parallel_size",
    }


LLM_FIELDS = frozenset(TensorrtLlmOptions.model_fields) - frozenset(KV_CACHE_FIELDS) - {"extra"}
"""Options named as arguments of ``LLM``."""
TensorrtLlmOptions.GROUPS = {"LLM": LLM_FIELDS}
