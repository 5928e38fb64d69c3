from tensorrt_llm.llmapi.building import BuildConfig
from tensorrt_llm.llmapi.configs import (
    AttentionDpConfig,
    BuildCacheConfig,
    CacheTransceiverConfig,
    CalibConfig,
    CapacitySchedulerPolicy,
    CudaGraphConfig,
    ExtendedRuntimePerfKnobConfig,
    KvCacheConfig,
    LookaheadDecodingConfig,
    MoeConfig,
    QuantAlgo,
    QuantConfig,
    SchedulerConfig,
    TorchCompileConfig,
)
from tensorrt_llm.llmapi.llm import LLM, RequestOutput
from tensorrt_llm.llmapi.sampling import SamplingParams

__all__ = [
    "LLM",
    "AttentionDpConfig",
    "BuildCacheConfig",
    "BuildConfig",
    "CacheTransceiverConfig",
    "CalibConfig",
    "CapacitySchedulerPolicy",
    "CudaGraphConfig",
    "ExtendedRuntimePerfKnobConfig",
    "KvCacheConfig",
    "LookaheadDecodingConfig",
    "MoeConfig",
    "QuantAlgo",
    "QuantConfig",
    "RequestOutput",
    "SamplingParams",
    "SchedulerConfig",
    "TorchCompileConfig",
]
