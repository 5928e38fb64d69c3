"""How vLLM spreads over devices and processes."""

from __future__ import annotations

from typing import Any, Literal

from pytest_llem.config.engines.section import Count, Natural, Section


class Parallelism(Section):
    """Ranks beyond those of tensors and stages, which the experiment itself sets."""

    distributed_executor_backend: Literal["ray", "mp", "uni", "external_launcher"] | None = None
    """What starts the ranks."""
    nnodes: Count | None = None
    """Machines."""
    device_ids: tuple[int | str, ...] | None = None
    """Devices of the ranks, by index or UUID."""
    numa_bind: bool | None = None
    """Bind each rank to the processors and memory near its device."""
    numa_bind_nodes: tuple[Natural, ...] | None = None
    """NUMA node of each rank."""
    numa_bind_cpus: tuple[str, ...] | None = None
    """Processors of each rank, such as ``0-3``."""
    disable_custom_all_reduce: bool | None = None
    """NCCL in place of vLLM's own all-reduce."""
    enable_shm_tensor_arena: bool | None = None
    """Hand large tensors to ranks through shared memory without copies."""
    enable_batch_sharded_sampling: bool | None = None
    """Each rank samples for a part of the batch."""
    enable_hc_sp: bool | None = None
    """Split hyper-connections by sequence."""


class ContextParallelism(Section):
    """Ranks that share one sequence."""

    prefill_context_parallel_size: Count | None = None
    """Ranks that share a prefill."""
    decode_context_parallel_size: Count | None = None
    """Ranks that share the cache of a sequence."""
    dcp_comm_backend: Literal["ag_rs", "a2a"] | None = None
    """How those ranks combine their results."""
    dcp_q_replicate: bool | None = None
    """Compute queries on each of those ranks rather than gather them."""
    dcp_kv_cache_interleave_size: Count | None = None
    """Tokens that lie together on a rank; the older name of the next."""
    cp_kv_cache_interleave_size: Count | None = None
    """Tokens that lie together on a rank."""


class DataParallelism(Section):
    """Copies of the model."""

    data_parallel_size: Count | None = None
    """Copies."""
    data_parallel_size_local: Natural | None = None
    """Copies on this machine."""
    data_parallel_backend: Literal["ray", "mp"] | None = None
    """What starts them."""
    dp_sync_interval: Count | None = None
    """Steps between agreements on whether all copies are finished."""
    disable_nccl_for_dp_synchronization: bool | None = None
    """Agree over the processors instead of the devices."""


class Experts(Section):
    """Models with experts."""

    enable_expert_parallel: bool | None = None
    """Whole experts on each rank rather than parts of all."""
    enable_ep_weight_filter: bool | None = None
    """Read only a rank's own experts from disk."""
    all2all_backend: (
        Literal[
            "naive",
            "pplx",
            "deepep_high_throughput",
            "deepep_low_latency",
            "deepep_v2",
            "mori_high_throughput",
            "mori_low_latency",
            "moonep",
            "nixl_ep",
            "allgather_reducescatter",
            "flashinfer_all2allv",
            "flashinfer_nvlink_two_sided",
            "flashinfer_nvlink_one_sided",
            "passthrough",
        ]
        | None
    ) = None
    """How tokens reach their experts."""
    enable_elastic_ep: bool | None = None
    """Let the number of copies change at run time."""
    elastic_ep_max_dp_size: Count | None = None
    """Most copies then."""
    enable_eplb: bool | None = None
    """Move experts so that ranks have equal loads."""
    eplb_config: dict[str, Any] | None = None
    """How and how often they are moved."""
    expert_placement_strategy: Literal["linear", "round_robin"] | None = None
    """Which experts lie on which rank."""
    enable_dbo: bool | None = None
    """Overlap the communication of one half of a batch with the computing of the other."""
    ubatch_size: Natural | None = None
    """Parts of a batch that overlap so; 0 leaves it to vLLM."""
    dbo_decode_token_threshold: Natural | None = None
    """Tokens above which decode batches are parted."""
    dbo_prefill_token_threshold: Natural | None = None
    """Tokens above which batches with a prefill are parted."""
