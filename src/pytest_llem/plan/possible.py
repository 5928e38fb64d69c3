"""Experiments that cannot be carried out as asked, each of their fields being possible.

Only what is certain before a model is loaded is told here; the rest is for the
engine to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.config.context import longest_context
from pytest_llem.config.workload import OF_FILES, WorkloadConfig

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig


DECIDING = frozenset(
    {
        "device",
        "quantization",
        "vllm.max_model_len",
        "vllm.max_num_batched_tokens",
        "tensorrt_llm.max_seq_len",
        "traffic.rate_per_s",
        "measurement.warmup_min_s",
        "measurement.warmup_max_s",
        "workload.lengths",
        "workload.source",
        "workload.prefix_cache",
    }
)
"""Fields of which at least one is given in every impossible experiment."""


def why_impossible(config: ExperimentConfig) -> str | None:
    """Why *config* cannot be run as asked, or ``None`` if nothing speaks against it."""
    for rule in _RULES:
        reason = rule(config)
        if reason is not None:
            return reason
    return None


def _one_device_for_many_ranks(config: ExperimentConfig) -> str | None:
    ranks = config.tensor_parallel_size * config.pipeline_parallel_size
    if ranks > 1 and config.device.startswith("cuda:"):
        return (
            f"device={config.device!r} is one device, but tensor_parallel_size="
            f"{config.tensor_parallel_size} times pipeline_parallel_size="
            f"{config.pipeline_parallel_size} needs {ranks}"
        )
    return None


def _engine_without_processor(config: ExperimentConfig) -> str | None:
    if config.device == "cpu" and config.backend == "tensorrt_llm":
        return "device='cpu': tensorrt_llm runs on NVIDIA GPUs only"
    return None


def _fp8_on_processor(config: ExperimentConfig) -> str | None:
    # transformers refuses to quantize to fp8 without a GPU, and turns weights that
    # are fp8 already into bfloat16 (its FineGrainedFP8 quantizer).
    if config.quantization == "fp8" and config.device == "cpu" and config.backend == "transformers":
        return "quantization='fp8' with device='cpu': transformers has fp8 on GPUs only"
    return None


def _awq_of_builtin(config: ExperimentConfig) -> str | None:
    if config.quantization == "awq" and config.model.startswith("builtin/"):
        return (
            f"quantization='awq' with model={config.model!r}: awq needs a model that was "
            "quantized beforehand, and built-in models are not"
        )
    return None


def _context_too_short(config: ExperimentConfig) -> str | None:
    if config.backend == "vllm":
        name, limit = "vllm.max_model_len", config.vllm.max_model_len
    elif config.backend == "tensorrt_llm":
        name, limit = "tensorrt_llm.max_seq_len", config.tensorrt_llm.max_seq_len
    else:
        return None
    needed = longest_context(config)
    if limit is None or needed is None or needed <= limit:
        return None
    if config.workload != WorkloadConfig():
        return f"the workload needs {needed} tokens of context, but {name}={limit}"
    return (
        f"input_tokens={config.input_tokens} and output_tokens={config.output_tokens} "
        f"need {needed} tokens of context, but {name}={limit}"
    )


def _lengths_of_nothing(config: ExperimentConfig) -> str | None:
    workload = config.workload
    if workload.lengths == "own" and workload.source == "synthetic":
        return "workload.lengths='own': only texts of a file have lengths of their own"
    return None


def _source_without_texts(config: ExperimentConfig) -> str | None:
    workload = config.workload
    if workload.source == "jsonl" and workload.path is None:
        return "workload.source='jsonl' needs workload.path"
    if workload.source == "datasets" and workload.dataset is None:
        return "workload.source='datasets' needs workload.dataset"
    if config.prompts and workload.source in OF_FILES:
        return f"prompts and workload.source={workload.source!r} both say where texts come from"
    return None


def _nothing_to_reuse(config: ExperimentConfig) -> str | None:
    if not config.workload.prefix_cache:
        return None
    if config.workload.turns == 1:
        return (
            "workload.prefix_cache=True needs workload.turns of 2 or more: one turn shares nothing"
        )
    if config.backend == "transformers":
        return "workload.prefix_cache=True: the transformers engine keeps no cache between calls"
    if config.backend == "vllm" and not config.vllm.enable_prefix_caching:
        return "workload.prefix_cache=True needs vllm.enable_prefix_caching=True"
    if config.backend == "tensorrt_llm" and not config.tensorrt_llm.enable_block_reuse:
        return "workload.prefix_cache=True needs tensorrt_llm.enable_block_reuse=True"
    return None


def _step_too_small(config: ExperimentConfig) -> str | None:
    if config.backend != "vllm":
        return None
    tokens, sequences = config.vllm.max_num_batched_tokens, config.vllm.max_num_seqs
    if tokens is None or sequences is None or tokens >= sequences:
        return None
    return (
        f"vllm.max_num_batched_tokens={tokens} is less than vllm.max_num_seqs={sequences}: "
        "a step takes at least one token of each sequence"
    )


def _warmup_limits_crossed(config: ExperimentConfig) -> str | None:
    least, most = config.measurement.warmup_min_s, config.measurement.warmup_max_s
    if least > most:
        return f"measurement.warmup_min_s={least} is more than measurement.warmup_max_s={most}"
    return None


def _two_loops(config: ExperimentConfig) -> str | None:
    closed, open_ = config.traffic.concurrency, config.traffic.rate_per_s
    if closed is not None and open_ is not None:
        return (
            f"traffic.concurrency={closed} is a closed loop, but traffic.rate_per_s={open_:g} is an "
            "open one, which does not wait for answers"
        )
    return None


_RULES = (
    _two_loops,
    _one_device_for_many_ranks,
    _engine_without_processor,
    _fp8_on_processor,
    _awq_of_builtin,
    _context_too_short,
    _step_too_small,
    _warmup_limits_crossed,
    _lengths_of_nothing,
    _source_without_texts,
    _nothing_to_reuse,
)
