"""vLLM's memory: key-value cache, prefix cache, offloading, sleep."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Count, Natural, NotNegative, Section, Share, Text


class Memory(Section):
    """How much memory there is for tokens, and what lies in it."""

    max_model_len: Count | None = None
    """Longest context, in tokens."""
    gpu_memory_utilization: Share | None = None
    """Share of the device's memory that vLLM may take."""
    kv_cache_memory_bytes: Count | None = None
    """Size of the key-value cache on each device, in bytes; wins over the share."""
    num_gpu_blocks_override: Count | None = None
    """Blocks of the key-value cache, in place of what profiling finds."""
    block_size: Count | None = None
    """Tokens in a block of the key-value cache."""
    kv_cache_dtype: Text | None = None
    """Data type of the key-value cache, such as ``fp8``; ``None`` lets vLLM choose."""
    kv_cache_dtype_skip_layers: tuple[str, ...] | None = None
    """Layers, by index or kind, whose cache keeps the model's data type."""
    enable_prefix_caching: bool = False
    """Reuse of cached prefixes; off, so that repeated prompts do repeated work."""
    prefix_caching_hash_algo: Literal["sha256", "sha256_cbor", "xxhash", "xxhash_cbor"] | None = (
        None
    )
    """How prefixes are recognized."""
    prefix_cache_retention_interval: Natural | None = None
    """Tokens between checkpoints that sliding-window and Mamba layers keep for reuse."""
    prefix_match_unit: Count | None = None
    """Tokens by which a match with a cached prefix may grow."""
    disable_sliding_window: bool | None = None
    """Limit the context to the window rather than slide it."""
    disable_hybrid_kv_cache_manager: bool | None = None
    """Reserve as much cache for sliding-window layers as for full ones."""
    kv_sharing_fast_prefill: bool | None = None
    """Skip prefill in layers that share another layer's cache."""
    swa_bounded_replay: bool | None = None
    """Compute a sliding window anew after a prefix hit instead of caching it."""


class Offloading(Section):
    """What is moved out of the device's memory."""

    cpu_offload_gb: NotNegative | None = None
    """Weights kept in host memory, in GiB a device."""
    cpu_offload_params: tuple[str, ...] | None = None
    """Parts of names of the weights that may be kept there."""
    offload_backend: Literal["auto", "uva", "prefetch"] | None = None
    """How weights are offloaded."""
    offload_group_size: Natural | None = None
    """Layers in a group of which the last ones are offloaded; 0 offloads none."""
    offload_num_in_group: Count | None = None
    """Offloaded layers of each group."""
    offload_prefetch_step: Natural | None = None
    """Layers that are fetched ahead."""
    offload_params: tuple[str, ...] | None = None
    """Parts of names of the weights that are fetched so; empty is all."""
    kv_offloading_size: NotNegative | None = None
    """Host memory for the key-value cache, in GiB over all ranks."""
    kv_offloading_backend: Literal["native", "lmcache"] | None = None
    """What keeps the key-value cache there."""
    kv_transfer_config: dict[str, Any] | None = None
    """Connector that moves the key-value cache between engines."""
    ec_transfer_config: dict[str, Any] | None = None
    """Connector that moves an encoder's outputs between engines."""
    ec_manager_config: dict[str, Any] | None = None
    """Cache of an encoder's outputs."""
    enable_sleep_mode: bool | None = None
    """Allocate so that the engine's memory can be given back while it sleeps."""
    sleep_mode_offload_cudagraph: bool | None = None
    """Keep CUDA graphs in host memory during sleep."""
    sleep_preserve_parameter_names: tuple[str, ...] | None = None
    """Weights, by glob, that survive deep sleep."""
    enable_cumem_allocator: bool | None = None
    """vLLM's own allocator of device memory."""
    enable_nccl_comm_suspend: bool | None = None
    """Give back NCCL's memory during sleep."""


class StateSpace(Section):
    """Caches and kernels of Mamba and other linear-attention layers."""

    mamba_config: dict[str, Any] | None = None
    """Mamba's settings as one mapping."""
    mamba_backend: Literal["triton", "flashinfer"] | None = None
    """Kernels of the state update."""
    mamba_cache_dtype: Literal["auto", "float32", "float16", "bfloat16"] | None = None
    """Data type of all Mamba states."""
    mamba_ssm_cache_dtype: Literal["auto", "float32", "float16", "bfloat16"] | None = None
    """Data type of the state-space state alone."""
    mamba_block_size: int | None = Field(default=None, ge=8, multiple_of=8)
    """Tokens in a block of the Mamba cache."""
    mamba_cache_mode: Literal["align", "none"] | None = None
    """Which states are kept for reuse."""
    mamba_ssu_algorithm: Literal["auto", "simple", "vertical", "horizontal"] | None = None
    """Algorithm of FlashInfer's state update."""
    enable_mamba_shared_prefix_checkpoint: bool | None = None
    """Keep a state where a shared prefix ends."""
    enable_mamba_cache_stochastic_rounding: bool | None = None
    """Round states at random rather than to the nearest."""
    mamba_cache_philox_rounds: Natural | None = None
    """Rounds of the random numbers for that."""
    use_replayssm: bool | None = None
    """Keep recent inputs and write the state only now and then."""
    replayssm_buffer_len: Count | None = None
    """Tokens between two such writes."""
    gdn_prefill_backend: Literal["flashinfer", "triton", "cutedsl", "aiter_flydsl"] | None = None
    """Prefill kernels of gated delta networks."""
    kda_prefill_backend: Literal["auto", "triton", "flashkda", "flashinfer", "fused"] | None = None
    """Prefill kernels of Kimi delta attention."""
    kda_decode_backend: Literal["auto", "native", "flashinfer", "triton"] | None = None
    """Decode kernels of Kimi delta attention."""
    engram_config: dict[str, Any] | None = None
    """Where n-gram embeddings lie and how they are split."""
