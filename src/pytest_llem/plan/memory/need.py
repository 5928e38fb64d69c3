"""The memory that an experiment takes on each of its devices.

Weights and cache follow from the model's configuration. Activations and what the engine takes
for itself are assumptions, in formulas that are written here and nowhere else:

- activations: ``tokens × number × (2·hidden + max(3·width, 2·queries + 2·keys))`` of the layer
  that is being computed (residual and its normalization, then either the feed-forward part's two
  inputs and their product, or queries, keys, values and what attention gives), with
  ``experts_per_token`` of an expert's width for the width of a mixture of experts;
  and ``sequences × vocabulary × (number + 4)``, the logits and a copy in float32. ``tokens`` are
  those of a prefill of all requests at once, vLLM's no more than ``max_num_batched_tokens``
  (8192 where it is not set). ``attn_implementation="eager"`` adds ``requests × heads × input² ×
  (number + 4)``.
- engine: see :data:`OVERHEAD_BYTES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from pytest_llem.config.context import longest_context
from pytest_llem.config.traffic import SERVER
from pytest_llem.plan.memory.blocks import WHOLE
from pytest_llem.plan.memory.cache import cache_shape
from pytest_llem.plan.memory.facts import DTYPE_BYTES, UnknownModelError
from pytest_llem.plan.memory.layers import blocks_of, family_of, kv_heads_of
from pytest_llem.plan.memory.quantization import scheme_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.memory.blocks import Block, Blocks
    from pytest_llem.plan.memory.cache import CacheShape
    from pytest_llem.plan.memory.facts import ModelFacts
    from pytest_llem.plan.memory.scheme import Scheme

    FactsOf = Callable[[str, str | None], ModelFacts]

GIB = 1 << 30
OVERHEAD_BYTES = {"transformers": int(0.75 * GIB), "vllm": GIB, "tensorrt_llm": int(1.5 * GIB)}
"""Assumed of each GPU: CUDA context, libraries' workspaces, what the allocator leaves unused."""
GRAPHS_BYTES = GIB // 2
"""Assumed of vLLM's CUDA graphs, which ``enforce_eager`` leaves out."""
HOST_OVERHEAD_BYTES = GIB // 2
"""Assumed of a process that computes on the CPU: interpreter, torch, the engine's code."""
BATCHED_TOKENS = 8192
"""vLLM's ``max_num_batched_tokens`` where nothing is set (16384 on some devices)."""
SEQUENCES = 256
"""vLLM's ``max_num_seqs`` where nothing is set (1024 on some devices)."""
BLOCK_TOKENS = 16
"""Tokens in a block of vLLM's cache where nothing is set."""
NARROW = ("fp8", "int8")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What all points share that load the same model in the same way."""

    parameters: int
    approximate: str | None
    """Why ``weights_bytes`` may be off; ``None`` if it is not."""
    dtype: str
    stored_as: str
    """Data type, or quantization, in words."""
    weights_bytes: float
    """On each device."""
    cache: CacheShape
    ranks: int
    """Devices that share the heads (``tensor_parallel_size``)."""
    stages: int
    hidden: int
    widest: int
    """Numbers that a token takes in the layer that is being computed."""
    vocabulary: int
    heads: int
    longest: int | None
    """Longest context of the model in tokens; ``None`` if it does not say."""

    @property
    def number_bytes(self) -> int:
        return DTYPE_BYTES[self.dtype]

    def cache_bytes(self, tokens: int, requests: int = 1) -> float:
        """On each device."""
        return self.cache.bytes_of(tokens, requests, self.ranks) / self.stages


@dataclass(frozen=True, slots=True)
class Need:
    """Memory on each device, in bytes."""

    weights_bytes: int
    cache_bytes: int | None
    """Of all requests that are served at once; ``None`` where only the workload knows how long
    they are."""
    activation_bytes: int
    """By a stated rule: an assumption."""
    overhead_bytes: int
    """Of the engine: an assumption."""

    @property
    def total_bytes(self) -> int:
        """All of it, the cache as far as it is known."""
        parts = (self.weights_bytes, self.cache_bytes or 0, self.activation_bytes)
        return sum(parts) + self.overhead_bytes


def footprint_of(config: ExperimentConfig, facts: ModelFacts) -> Footprint:
    """The memory of *config* apart from how much work it has.

    Raises:
        UnknownModelError: the model's configuration does not say enough.
    """
    if config.backend == SERVER:
        raise UnknownModelError("the server's memory is its own")
    blocks, family = blocks_of(facts), family_of(facts)[0]
    dtype, guessed = _dtype(config, facts)
    scheme, number = scheme_of(config, facts), DTYPE_BYTES[dtype]
    ranks, stages = config.tensor_parallel_size, config.pipeline_parallel_size
    width = facts.head_dim(family.head_dim)
    return Footprint(
        parameters=blocks.parameters,
        approximate=blocks.approximate or guessed,
        dtype=dtype,
        stored_as=dtype if scheme is None else scheme.name,
        weights_bytes=weights_bytes(blocks, scheme, number, ranks, stages),
        cache=cache_shape(facts, _number_of_cache(config, number)),
        ranks=ranks,
        stages=stages,
        hidden=facts.number("hidden_size"),
        widest=max(3 * _width(facts), 2 * width * (facts.heads + kv_heads_of(facts, family))),
        vocabulary=facts.number("vocab_size"),
        heads=facts.heads,
        longest=facts.maybe("max_position_embeddings"),
    )


def weights_bytes(
    blocks: Blocks, scheme: Scheme | None, number: int, ranks: int = 1, stages: int = 1
) -> float:
    """Bytes of all weights on the device that has most of them.

    Ranks of tensor parallelism share matrices and embeddings and have all of norms and routers;
    stages of pipeline parallelism share layers, and the input embedding is at the first one, the
    output's at the last.
    """
    layered = outside = 0.0
    ends = {"embedding": 0.0, "head": 0.0}
    for block in blocks.all:
        size = _stored(block, scheme, number) / (1 if block.part in WHOLE else ranks)
        if block.layers:
            layered += size
        elif block.part in ends:
            ends[block.part] += size
        else:
            outside += size
    if stages == 1:
        return layered + outside + sum(ends.values())
    layers = max(block.layers for block in blocks.all)
    return layered * ceil(layers / stages) / layers + max(
        ends["embedding"], (ends["head"] or ends["embedding"]) + outside
    )


def _stored(block: Block, scheme: Scheme | None, number: int) -> float:
    return block.parameters * number if scheme is None else scheme.bytes_of(block, number)


def _dtype(config: ExperimentConfig, facts: ModelFacts) -> tuple[str, str | None]:
    """The data type of weights that are not quantized, and why it may be another one."""
    if config.dtype != "auto":
        return config.dtype, None
    saved = facts.dtype
    if config.backend == "vllm":  # which never computes in float32 unasked
        return ("bfloat16" if saved in {None, "float32"} else str(saved)), None
    if saved is None:
        return "float32", "its config.json does not say in which data type the weights are saved"
    return saved, None


def _number_of_cache(config: ExperimentConfig, number: int) -> float:
    if config.backend == "vllm" and str(config.vllm.kv_cache_dtype or "").startswith(NARROW):
        return 1
    if config.backend == "transformers" and config.transformers.cache_implementation == "quantized":
        bits = (config.transformers.cache_config or {}).get("nbits", 4)
        return bits / 8 if isinstance(bits, int) else number
    return number


def _width(facts: ModelFacts) -> int:
    """Width of the feed-forward part that a token passes."""
    dense = facts.maybe("intermediate_size") or 4 * facts.number("hidden_size")
    taken = facts.maybe("num_experts_per_tok")
    expert = facts.maybe("moe_intermediate_size") or dense
    return max(dense, taken * expert) if taken else dense


def need_of(config: ExperimentConfig, footprint: Footprint, *, on_gpu: bool = True) -> Need:
    """The memory that *config* takes on each device: GPUs, or the host."""
    requests = requests_at_once(config)
    longest = longest_context(config)
    cache = None if longest is None else footprint.cache_bytes(longest, requests)
    return Need(
        ceil(footprint.weights_bytes),
        None if cache is None else ceil(cache),
        ceil(_activations(config, footprint, requests)),
        _overhead(config) if on_gpu else HOST_OVERHEAD_BYTES,
    )


def requests_at_once(config: ExperimentConfig) -> int:
    """Requests whose tokens are in the cache together; beams count each."""
    requests = config.batch_size
    if config.backend == "vllm":
        return min(requests, config.vllm.max_num_seqs or requests)
    if config.backend == "tensorrt_llm":
        return min(requests, config.tensorrt_llm.max_batch_size or requests)
    if config.backend == "transformers":
        return requests * int(config.transformers.given().get("num_beams") or 1)
    return requests


def _activations(config: ExperimentConfig, footprint: Footprint, requests: int) -> float:
    prompt, number = config.input_tokens, footprint.number_bytes
    tokens, sequences = requests * prompt, requests
    if config.backend == "vllm":
        tokens = config.vllm.max_num_batched_tokens or BATCHED_TOKENS
        sequences = config.vllm.max_num_seqs or SEQUENCES
    found = tokens * number * (2 * footprint.hidden + footprint.widest / footprint.ranks)
    found += sequences * footprint.vocabulary * (number + 4) / footprint.ranks
    if config.backend == "transformers" and config.transformers.attn_implementation == "eager":
        found += requests * footprint.heads * prompt**2 * (number + 4)
    return found


def _overhead(config: ExperimentConfig) -> int:
    found = OVERHEAD_BYTES.get(config.backend, GIB)
    return found + GRAPHS_BYTES * (config.backend == "vllm" and not config.vllm.enforce_eager)
