"""How TensorRT-LLM runs: batches, memory, kernels."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Count, Natural, NotNegative, Section, Text


class Scheduling(Section):
    """Which requests share a step."""

    max_batch_size: Count | None = None
    """Most sequences in one step."""
    max_num_tokens: Count | None = None
    """Most tokens in one step."""
    max_seq_len: Count | None = None
    """Longest context, in tokens."""
    max_input_len: Count | None = None
    """Longest prompt, in tokens."""
    max_beam_width: Count | None = None
    """Most beams of a request."""
    enable_chunked_prefill: bool | None = None
    """Split long prefills over steps; ``None`` lets the engine choose."""
    scheduler_config: dict[str, Any] | None = None
    """Policies by which requests are let in and prefills are cut."""
    disable_overlap_scheduler: bool | None = None
    """Plan a step only once the one before has ended."""
    batch_wait_timeout_ms: NotNegative | None = None
    """How long a batch waits for requests, in milliseconds."""
    batch_wait_timeout_iters: Natural | None = None
    """How long it waits, in steps."""
    batch_wait_max_tokens_ratio: float | None = Field(default=None, ge=0, le=1)
    """Share of ``max_num_tokens`` that it waits for."""
    stream_interval: Count | None = None
    """Tokens between two chunks of a stream."""
    num_postprocess_workers: Natural | None = None
    """Processes that turn tokens into text."""
    garbage_collection_gen0_threshold: Natural | None = None
    """Objects after which Python collects garbage."""
    fail_fast_on_attention_window_too_large: bool | None = None
    """Refuse to start where a single sequence would not fit."""


class Memory(Section):
    """The key-value cache; the first options are those of ``kv_cache_config``, one by one."""

    free_gpu_memory_fraction: float | None = Field(default=None, gt=0, le=1)
    """Share of free device memory for the key-value cache."""
    enable_block_reuse: bool = False
    """Reuse of cached blocks; off, so that repeated prompts do repeated work."""
    kv_cache_dtype: Literal["auto", "fp8", "nvfp4"] | None = None
    """Data type of the key-value cache; the PyTorch backend alone has a choice."""
    kv_cache_max_tokens: Count | None = None
    """Most tokens in the key-value cache."""
    tokens_per_block: Count | None = None
    """Tokens in a block of the key-value cache."""
    max_attention_window: tuple[Count, ...] | None = Field(default=None, min_length=1)
    """Tokens that each layer attends to, repeated over the layers."""
    sink_token_length: Natural | None = None
    """First tokens that stay within the window."""
    host_cache_size: Natural | None = None
    """Host memory for blocks that leave the device, in bytes."""
    kv_cache_config: dict[str, Any] | None = None
    """Further settings of the key-value cache."""
    kv_connector_config: dict[str, Any] | None = None
    """Connector to a cache elsewhere."""
    cache_transceiver_config: dict[str, Any] | None = None
    """How engines hand caches to each other."""


class Kernels(Section):
    """Compilation, CUDA graphs, and kernels by operation."""

    attn_backend: Text | None = None
    """Attention kernels, such as ``TRTLLM`` or ``FLASHINFER``."""
    sparse_attention_config: dict[str, Any] | None = None
    """Sparse attention by its algorithm."""
    cuda_graph_config: dict[str, Any] | None = None
    """Batch sizes for which CUDA graphs are captured."""
    torch_compile_config: dict[str, Any] | None = None
    """``torch.compile`` and what it captures."""
    enable_autotuner: bool | None = None
    """Try kernels against each other while warming up."""
    moe_config: dict[str, Any] | None = None
    """Kernels of experts, and how experts are spread."""
    sampler_type: Literal["auto", "TRTLLMSampler", "TorchSampler"] | None = None
    """What draws tokens."""
    enable_min_latency: bool | None = None
    """Kernels for the shortest steps, where a model has them."""
    guided_decoding_backend: Literal["xgrammar", "llguidance"] | None = None
    """Backend for grammars that outputs must follow."""
    gather_generation_logits: bool | None = None
    """Keep the logits of all output tokens."""
