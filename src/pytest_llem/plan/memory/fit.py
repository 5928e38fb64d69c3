"""Whether an experiment's memory is there."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Literal

from pytest_llem.config.context import longest_context
from pytest_llem.plan.memory.need import BLOCK_TOKENS

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.memory.need import Footprint, Need

Verdict = Literal["fits", "tight", "does not fit", "unknown"]
COMFORTABLE = 0.9
"""Share of a device's memory up to which an estimate is trusted to fit."""
UTILIZATION = 0.92
"""vLLM's ``gpu_memory_utilization`` where nothing is set (its ``CacheConfig``)."""
OF_FREE = 0.9
"""TensorRT-LLM's ``free_gpu_memory_fraction`` where nothing is set (its ``KvCacheConfig``)."""


OWN_LENGTHS = "only the workload knows how long its requests are"


@dataclass(frozen=True, slots=True)
class Room:
    """The devices that an experiment would run on."""

    name: str
    total_bytes: int
    """Of one device, the smallest of them."""
    devices: int
    """How many of them it would use."""
    is_gpu: bool = True


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of it."""

    verdict: Verdict
    reason: str | None = None
    """Why it does not fit, is tight, or is unknown; ``None`` if it fits."""
    need: Need | None = None
    room: Room | None = None
    footprint: Footprint | None = None
    max_tokens: int | None = None
    """Tokens that the cache has room for on these devices, over all requests; ``None`` unless
    the engine keeps a pool for them."""


def fit_of(config: ExperimentConfig, footprint: Footprint, need: Need, room: Room | None) -> Fit:
    """Whether *need* is there in *room*; ``None`` is an unknown one."""
    if room is None:
        return Fit("unknown", "the memory of the devices is not known", need, None, footprint)
    if room.is_gpu and config.backend == "vllm":
        return _in_pool(config, footprint, need, room, _vllm_pool(config, need, room))
    if room.is_gpu and config.backend == "tensorrt_llm":
        return _in_pool(config, footprint, need, room, _trt_pool(config, need, room))
    return _as_a_whole(footprint, need, room)


def _as_a_whole(footprint: Footprint, need: Need, room: Room) -> Fit:
    """The fit of an engine that takes memory as it goes; a ``device_map`` has all devices."""
    there = room.total_bytes * max(room.devices // (footprint.ranks * footprint.stages), 1)
    against = f"{gib(need.total_bytes)} of {gib(there)} on {room.name}"
    if need.total_bytes > there:
        return Fit("does not fit", against, need, room, footprint)
    if need.cache_bytes is None:
        return Fit("unknown", OWN_LENGTHS, need, room, footprint)
    if need.total_bytes > COMFORTABLE * there:
        return Fit("tight", against, need, room, footprint)
    return Fit("fits", None, need, room, footprint)


def _vllm_pool(config: ExperimentConfig, need: Need, room: Room) -> float:
    given = config.vllm.given().get("kv_cache_memory_bytes")
    left = _rest(need, (config.vllm.gpu_memory_utilization or UTILIZATION) * room.total_bytes)
    if given is not None:  # taken as it is, whatever the share says
        return min(float(given), _rest(need, room.total_bytes))
    return left


def _trt_pool(config: ExperimentConfig, need: Need, room: Room) -> float:
    share = config.tensorrt_llm.free_gpu_memory_fraction or OF_FREE
    return share * _rest(need, room.total_bytes)


def _rest(need: Need, of_bytes: float) -> float:
    return of_bytes - need.weights_bytes - need.activation_bytes - need.overhead_bytes


def _in_pool(
    config: ExperimentConfig, footprint: Footprint, need: Need, room: Room, pool: float
) -> Fit:
    """The fit of an engine that turns what is left into a pool of cache."""

    def said(verdict: Verdict, reason: str | None) -> Fit:
        return Fit(verdict, reason, need, room, footprint, _tokens(config, footprint, pool))

    if pool <= 0:
        return said("does not fit", f"no memory is left for the cache on {room.name}")
    longest = _longest_served(config, footprint)
    if longest is not None and (one := footprint.cache_bytes(longest)) > pool:
        return said(
            "does not fit",
            f"{config.backend} wants room for a request of {longest} tokens ({gib(one)}), and {gib(pool)} "
            f"is left; a smaller {_LIMITS[config.backend]} takes less",
        )
    if need.cache_bytes is None:
        return said("unknown", OWN_LENGTHS)
    if need.cache_bytes > pool:
        return said(
            "tight",
            f"the requests' cache takes {gib(need.cache_bytes)}, {gib(pool)} is left: some wait",
        )
    return said("fits", None)


_LIMITS = {"vllm": "vllm.max_model_len", "tensorrt_llm": "tensorrt_llm.max_seq_len"}


def _longest_served(config: ExperimentConfig, footprint: Footprint) -> int | None:
    """Tokens of the longest request that the engine insists on having room for."""
    if config.backend == "vllm":
        longest = config.vllm.max_model_len or footprint.longest
        return None if longest is None else ceil(longest / BLOCK_TOKENS) * BLOCK_TOKENS
    return config.tensorrt_llm.max_seq_len or longest_context(config)


def _tokens(config: ExperimentConfig, footprint: Footprint, pool: float) -> int:
    """Tokens of requests like these that *pool* holds."""
    tokens = longest_context(config) or config.input_tokens + config.output_tokens
    return max(floor(pool / footprint.cache_bytes(tokens) * tokens), 0)


def gib(size: float) -> str:
    """Bytes in GiB, as people read them."""
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 27 else f"{size / (1 << 20):.3g} MiB"
