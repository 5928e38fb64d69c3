"""The ``vllm`` section, in groups; fields are named as vLLM's own."""

from __future__ import annotations

from typing import ClassVar

from pytest_llem.config.engines.vllm.kernels import Kernels
from pytest_llem.config.engines.vllm.loading import Loading, Lora
from pytest_llem.config.engines.vllm.memory import Memory, Offloading, StateSpace
from pytest_llem.config.engines.vllm.multimodal import Multimodal
from pytest_llem.config.engines.vllm.parallel import (
    ContextParallelism,
    DataParallelism,
    Experts,
    Parallelism,
)
from pytest_llem.config.engines.vllm.scheduling import (
    Outputs,
    Sampling,
    Scheduling,
    Serving,
    Speculation,
)

SAMPLING_FIELDS = frozenset(Sampling.model_fields) - {"extra"}
"""Options named as fields of ``SamplingParams``."""

OWN_FIELDS = frozenset(Serving.model_fields) - {"extra"}
"""Options of ours, which vLLM does not know."""


class VllmOptions(
    Sampling,
    Multimodal,
    Lora,
    Loading,
    StateSpace,
    Offloading,
    Experts,
    DataParallelism,
    ContextParallelism,
    Parallelism,
    Outputs,
    Speculation,
    Kernels,
    Memory,
    Scheduling,
    Serving,
):
    """Parameters of vLLM that move energy or speed; ``extra`` holds further ``EngineArgs``."""

    ENGINE: ClassVar[str] = "vllm"
    OWN: ClassVar[frozenset[str]] = OWN_FIELDS
    ELSEWHERE: ClassVar[dict[str, str]] = {
        "EngineArgs.model": "model",
        "EngineArgs.revision": "revision",
        "EngineArgs.dtype": "dtype",
        "EngineArgs.quantization": "quantization",
        "EngineArgs.seed": "seed",
        "EngineArgs.tensor_parallel_size": "tensor_parallel_size",
        "EngineArgs.pipeline_parallel_size": "pipeline_parallel_size",
        "SamplingParams.max_tokens": "output_tokens",
        "SamplingParams.min_tokens": "output_tokens",
        "SamplingParams.ignore_eos": "output_tokens",
        "SamplingParams.seed": "seed",
    }


ENGINE_FIELDS = frozenset(VllmOptions.model_fields) - SAMPLING_FIELDS - OWN_FIELDS - {"extra"}
"""Options named as fields of ``EngineArgs``."""
VllmOptions.GROUPS = {"EngineArgs": ENGINE_FIELDS, "SamplingParams": SAMPLING_FIELDS}
