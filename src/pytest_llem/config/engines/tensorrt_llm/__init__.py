"""The ``tensorrt_llm`` section, in groups; fields but the own ones are named as TensorRT-LLM's own."""

from __future__ import annotations

from typing import ClassVar

from pytest_llem.config.engines.tensorrt_llm.building import (
    Building,
    Loading,
    Lora,
    Parallelism,
    Speculation,
)
from pytest_llem.config.engines.tensorrt_llm.running import Kernels, Memory, Scheduling, Serving
from pytest_llem.config.engines.tensorrt_llm.sampling import Sampling

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


OWN_FIELDS = frozenset(Serving.model_fields) - {"extra"}
"""Options of ours, which TensorRT-LLM does not know."""
SAMPLING_FIELDS = frozenset(Sampling.model_fields) - {"extra"}
"""Options named as fields of ``SamplingParams``."""


class TensorrtLlmOptions(
    Sampling,
    Speculation,
    Lora,
    Building,
    Loading,
    Parallelism,
    Kernels,
    Memory,
    Scheduling,
    Serving,
):
    """Parameters of TensorRT-LLM that move energy or speed.

    ``extra`` holds further arguments of ``LLM``.
    """

    ENGINE: ClassVar[str] = "tensorrt_llm"
    OWN: ClassVar[frozenset[str]] = frozenset(KV_CACHE_FIELDS) | OWN_FIELDS
    ELSEWHERE: ClassVar[dict[str, str]] = {
        "LLM.model": "model",
        "LLM.revision": "revision",
        "LLM.dtype": "dtype",
        "LLM.tensor_parallel_size": "tensor_parallel_size",
        "LLM.pipeline_parallel_size": "pipeline_parallel_size",
        "SamplingParams.max_tokens": "output_tokens",
        "SamplingParams.min_tokens": "output_tokens",
        "SamplingParams.ignore_eos": "output_tokens",
        "SamplingParams.end_id": "output_tokens",
        "SamplingParams.pad_id": "model",
        "SamplingParams.seed": "seed",
    }


LLM_FIELDS = (
    frozenset(TensorrtLlmOptions.model_fields)
    - SAMPLING_FIELDS
    - TensorrtLlmOptions.OWN
    - {"extra"}
)
"""Options named as arguments of ``LLM``."""
TensorrtLlmOptions.GROUPS = {"LLM": LLM_FIELDS, "SamplingParams": SAMPLING_FIELDS}
