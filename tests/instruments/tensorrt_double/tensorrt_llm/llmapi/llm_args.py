"""The arguments of ``LLM``, by backend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from tensorrt_llm.llmapi.building import BuildConfig, is_engine, read
from tensorrt_llm.llmapi.configs import (
    AttentionDpConfig,
    BuildCacheConfig,
    CacheTransceiverConfig,
    CalibConfig,
    CudaGraphConfig,
    ExtendedRuntimePerfKnobConfig,
    KvCacheConfig,
    LoraConfig,
    MoeConfig,
    QuantConfig,
    SchedulerConfig,
    Strict,
    TorchCompileConfig,
)

__all__ = ["BaseLlmArgs", "BuildConfig", "DecodingBaseConfig", "TorchLlmArgs", "TrtLlmArgs"]


class DecodingBaseConfig(Strict):
    max_draft_len: int | None = None
    max_total_draft_tokens: int | None = None
    speculative_model_dir: str | None = None
    max_concurrency: int | None = None
    load_format: str | None = None
    decoding_type: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DecodingBaseConfig:
        kind = data.pop("decoding_type", None)
        classes = {"NGram": NGramDecodingConfig, "MTP": MTPDecodingConfig}
        if kind not in classes:
            raise ValueError(f"Invalid decoding type: {kind}")
        return classes[kind](**data)


class NGramDecodingConfig(DecodingBaseConfig):
    max_matching_ngram_size: int = 0
    is_keep_all: bool = True
    is_use_oldest: bool = True
    is_public_pool: bool = True
    decoding_type: str = "NGram"


class MTPDecodingConfig(DecodingBaseConfig):
    num_nextn_predict_layers: int = 1
    use_relaxed_acceptance_for_thinking: bool = False
    decoding_type: str = "MTP"


class BaseLlmArgs(Strict):
    model: str | Path
    tokenizer: Any = None
    tokenizer_mode: Literal["auto", "slow"] = "auto"
    skip_tokenizer_init: bool = False
    trust_remote_code: bool = False
    tensor_parallel_size: int = 1
    dtype: str = "auto"
    revision: str | None = None
    tokenizer_revision: str | None = None
    pipeline_parallel_size: int = 1
    context_parallel_size: int = 1
    gpus_per_node: int | None = None
    moe_cluster_parallel_size: int | None = None
    moe_tensor_parallel_size: int | None = None
    moe_expert_parallel_size: int | None = None
    enable_attention_dp: bool = False
    enable_lm_head_tp_in_adp: bool = False
    cp_config: dict[str, Any] | None = None
    load_format: Any = "auto"
    fail_fast_on_attention_window_too_large: bool = False
    enable_lora: bool = False
    lora_config: LoraConfig | None = None
    kv_cache_config: KvCacheConfig = Field(default_factory=KvCacheConfig)
    enable_chunked_prefill: bool = False
    guided_decoding_backend: Literal["xgrammar", "llguidance"] | None = None
    batched_logits_processor: Any = None
    iter_stats_max_iterations: int | None = None
    request_stats_max_iterations: int | None = None
    peft_cache_config: dict[str, Any] | None = None
    scheduler_config: SchedulerConfig = Field(default_factory=SchedulerConfig)
    cache_transceiver_config: CacheTransceiverConfig | None = None
    sparse_attention_config: dict[str, Any] | None = None
    speculative_config: DecodingBaseConfig | None = None
    max_batch_size: int | None = 2048
    max_input_len: int | None = 1024
    max_seq_len: int | None = None
    max_beam_width: int | None = 1
    max_num_tokens: int | None = 8192
    gather_generation_logits: bool = False
    num_postprocess_workers: int = 0
    postprocess_tokenizer_dir: str | None = None
    reasoning_parser: str | None = None
    decoding_config: Any = None
    mpi_session: Any = None
    backend: str | None = None
    return_perf_metrics: bool = False
    orchestrator_type: Literal["rpc", "ray"] | None = None

    @model_validator(mode="after")
    def _of_this_gpu(self) -> BaseLlmArgs:
        if int(os.environ.get("LLEM_TEST_TRT_SM", "90")) < 80 and self.dtype == "bfloat16":
            raise RuntimeError("Pre SM 80 GPUs do not support bfloat16")
        return self


class TorchLlmArgs(BaseLlmArgs):
    build_config: Any = None
    garbage_collection_gen0_threshold: int = 20000
    cuda_graph_config: CudaGraphConfig | None = Field(default_factory=CudaGraphConfig)
    attention_dp_config: AttentionDpConfig | None = None
    disable_overlap_scheduler: bool = False
    moe_config: MoeConfig = Field(default_factory=MoeConfig)
    attn_backend: str = "TRTLLM"
    sampler_type: str = "auto"
    enable_iter_perf_stats: bool = False
    enable_iter_req_stats: bool = False
    print_iter_log: bool = False
    perf_metrics_max_requests: int = 0
    batch_wait_timeout_ms: float = 0
    batch_wait_timeout_iters: int = 0
    batch_wait_max_tokens_ratio: float = 0
    torch_compile_config: TorchCompileConfig | None = None
    enable_autotuner: bool = True
    enable_layerwise_nvtx_marker: bool = False
    enable_min_latency: bool = False
    stream_interval: int = 1
    force_dynamic_quantization: bool = False
    allreduce_strategy: str | None = "AUTO"
    checkpoint_loader: Any = None
    checkpoint_format: str | None = None
    kv_connector_config: dict[str, Any] | None = None
    mm_encoder_only: bool = False
    ray_worker_extension_cls: str | None = None


class TrtLlmArgs(BaseLlmArgs):
    enable_tqdm: bool = False
    workspace: str | None = None
    enable_build_cache: BuildCacheConfig | bool = False
    extended_runtime_perf_knob_config: ExtendedRuntimePerfKnobConfig | None = None
    calib_config: CalibConfig = Field(default_factory=CalibConfig)
    quant_config: QuantConfig = Field(default_factory=QuantConfig)
    embedding_parallel_mode: str = "SHARDING_ALONG_VOCAB"
    fast_build: bool = False
    build_config: BuildConfig | None = None
    enable_prompt_adapter: bool = False
    max_prompt_adapter_token: int = 0
    batching_type: str | None = None
    normalize_log_probs: bool = False

    @model_validator(mode="after")
    def _limits(self) -> TrtLlmArgs:
        names = (
            "max_batch_size",
            "max_num_tokens",
            "max_seq_len",
            "max_beam_width",
            "max_input_len",
        )
        assert self.kv_cache_config.dtype == "auto", (
            "KvCacheConfig.dtype is not supported by the TensorRT backend."
        )
        if is_engine(Path(self.model)):
            self.build_config = BuildConfig(**read(Path(self.model))["build_config"])
        elif self.build_config is None:
            given = {name: value for name in names if (value := getattr(self, name))}
            self.build_config = BuildConfig(**given)
        for name in ("max_batch_size", "max_num_tokens"):
            most = getattr(self.build_config, name)
            setattr(self, name, min(getattr(self, name) or most, most))
        return self
