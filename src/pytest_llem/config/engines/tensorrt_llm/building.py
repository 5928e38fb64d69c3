"""What TensorRT-LLM loads, quantizes and, on its compiled path, builds."""

from __future__ import annotations

from typing import Any, Literal

from pytest_llem.config.engines.section import Count, Natural, Section, Text


class Loading(Section):
    """What is loaded, and from what."""

    tokenizer: Text | None = None
    """Tokenizer's folder or hub id, where it is not the model's own."""
    tokenizer_mode: Literal["auto", "slow"] | None = None
    """Whether the fast tokenizer may be taken."""
    tokenizer_revision: Text | None = None
    """Revision of the tokenizer on the hub."""
    skip_tokenizer_init: bool | None = None
    """Run on token ids alone, without a tokenizer."""
    trust_remote_code: bool | None = None
    """Run code that a model repository ships."""
    load_format: Literal["auto", "dummy", "vision_only"] | None = None
    """What of the weights is read; ``dummy`` makes them up."""
    checkpoint_format: Text | None = None
    """Format of the weights, such as ``HF``."""
    backend: Literal["pytorch", "tensorrt", "_autodeploy"] | None = None
    """PyTorch, a compiled engine, or PyTorch by export."""
    force_dynamic_quantization: bool | None = None
    """Quantize activations while running, whatever the weights' files say."""
    quant_config: dict[str, Any] | None = None
    """Quantization of weights and cache, by algorithm."""
    calib_config: dict[str, Any] | None = None
    """Data by which a quantization is calibrated."""
    mm_encoder_only: bool | None = None
    """Run the encoder of a multimodal model and no language model."""


class Building(Section):
    """The compiled path alone."""

    build_config: dict[str, Any] | None = None
    """Limits and plugins that an engine is built with."""
    fast_build: bool | None = None
    """Build faster, for an engine that may be slower."""
    embedding_parallel_mode: (
        Literal["NONE", "SHARDING_ALONG_VOCAB", "SHARDING_ALONG_HIDDEN"] | None
    ) = None
    """How ranks split the embedding."""
    batching_type: Literal["STATIC", "INFLIGHT"] | None = None
    """Whether requests join a batch that runs."""
    extended_runtime_perf_knob_config: dict[str, Any] | None = None
    """Attention over several blocks, accumulation, and CUDA graphs of a compiled engine."""
    normalize_log_probs: bool | None = None
    """Divide log-probabilities by the length."""
    enable_prompt_adapter: bool | None = None
    """Make room for prompt adapters."""
    max_prompt_adapter_token: Natural | None = None
    """Most tokens of such an adapter."""


class Lora(Section):
    """Low-rank adapters beside the weights."""

    enable_lora: bool | None = None
    """Make room for adapters."""
    lora_config: dict[str, Any] | None = None
    """Adapters, their ranks, and the modules that they change."""
    peft_cache_config: dict[str, Any] | None = None
    """Memory for adapters on host and device."""


class Speculation(Section):
    """Drafting tokens ahead."""

    speculative_config: dict[str, Any] | None = None
    """Speculative decoding by its ``decoding_type``, such as ``NGram``, ``Eagle`` or ``MTP``."""


class Parallelism(Section):
    """Ranks beyond those of tensors and stages, which the experiment itself sets."""

    context_parallel_size: Count | None = None
    """Ranks that share one sequence."""
    cp_config: dict[str, Any] | None = None
    """How they share it."""
    gpus_per_node: Count | None = None
    """Devices of a machine."""
    moe_cluster_parallel_size: Count | None = None
    """Clusters among which experts are split."""
    moe_tensor_parallel_size: Count | None = None
    """Ranks that share each expert."""
    moe_expert_parallel_size: Count | None = None
    """Ranks among which experts are dealt out."""
    enable_attention_dp: bool | None = None
    """Each rank attends to requests of its own."""
    enable_lm_head_tp_in_adp: bool | None = None
    """Share the output layer even then."""
    attention_dp_config: dict[str, Any] | None = None
    """How requests are dealt out evenly."""
    allreduce_strategy: (
        Literal[
            "AUTO",
            "NCCL",
            "UB",
            "MINLATENCY",
            "ONESHOT",
            "TWOSHOT",
            "LOWPRECISION",
            "MNNVL",
            "NCCL_SYMMETRIC",
        ]
        | None
    ) = None
    """How ranks add their results."""
    orchestrator_type: Literal["rpc", "ray"] | None = None
    """What drives the ranks; ``None`` is MPI."""
