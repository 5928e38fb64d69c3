"""The compiled path: what an engine is built from, and its way into and out of the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.builtin.store import cache_dir
from pytest_llem.engines.tensorrt_llm.build_cache import BuildCache, engines_dir
from pytest_llem.engines.tensorrt_llm.checkpoint import digest_of
from pytest_llem.engines.tensorrt_llm.installed import tensorrt_version
from pytest_llem.engines.tensorrt_llm.plain import plain
from pytest_llem.engines.tensorrt_llm.surroundings import switches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llem.engines.model_source import ResolvedModel
    from pytest_llem.engines.tensorrt_llm.build_cache import BuiltEngine
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm

RUN_ONLY = frozenset(
    {
        "batch_wait_max_tokens_ratio",
        "batching_type",
        "cache_transceiver_config",
        "enable_build_cache",
        "enable_chunked_prefill",
        "extended_runtime_perf_knob_config",
        "fail_fast_on_attention_window_too_large",
        "guided_decoding_backend",
        "iter_stats_max_iterations",
        "kv_cache_config",
        "model",
        "normalize_log_probs",
        "num_postprocess_workers",
        "peft_cache_config",
        "perf_metrics_max_requests",
        "postprocess_tokenizer_dir",
        "reasoning_parser",
        "request_stats_max_iterations",
        "return_perf_metrics",
        "revision",
        "scheduler_config",
        "skip_tokenizer_init",
        "tokenizer_revision",
        "workspace",
    }
)
"""Arguments without an effect on what is built; any other belongs to the key."""
BUILD_ONLY = frozenset(
    {
        "build_config",
        "calib_config",
        "embedding_parallel_mode",
        "enable_prompt_adapter",
        "fast_build",
        "load_format",
        "max_beam_width",
        "max_input_len",
        "max_prompt_adapter_token",
        "max_seq_len",
        "quant_config",
    }
)
"""Arguments that a built engine brings itself."""


def engine_facts(
    arguments: Mapping[str, Any],
    source: ResolvedModel,
    folder: Path,
    installed: TensorrtLlm,
    gpus: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Everything that a built engine depends on, as JSON values.

    Args:
        arguments: of ``LLM``.
        source: where the model was found.
        folder: the folder that it is in, if it is on this machine.
        installed: the package.
        gpus: name and compute capability of each GPU that it runs on.
    """
    torch_version = getattr(getattr(_torch(), "version", None), "cuda", None)
    return {
        "model": _content(source, folder),
        "tensorrt_llm": installed.version,
        "tensorrt": tensorrt_version(),
        "cuda": torch_version,
        "gpus": [dict(gpu) for gpu in gpus],
        "arguments": {
            name: plain(value) for name, value in sorted(arguments.items()) if name not in RUN_ONLY
        },
        "environment": switches(os.environ),
    }


def obtain_engine(
    arguments: Mapping[str, Any],
    facts: Mapping[str, Any],
    installed: TensorrtLlm,
    end: Callable[[], None],
) -> BuiltEngine:
    """The engine that *facts* describe, from the cache or built for it.

    Args:
        arguments: of ``LLM``.
        facts: of :func:`engine_facts`.
        installed: the package.
        end: ends the processes of the engine that was built, which hold the GPUs' memory.

    Raises:
        EngineError: the cache cannot be written.
        Exception: whatever TensorRT-LLM raises.
    """

    def build(into: Path) -> None:
        llm = installed.model_class(**{**arguments, "enable_build_cache": False})
        try:
            llm.save(str(into))
        finally:
            llm.shutdown()
            del llm
            end()

    root = engines_dir(os.environ, cache_dir(os.environ) / "tensorrt-llm-engines")
    return BuildCache(root).obtain(facts, build)


def run_arguments(
    arguments: Mapping[str, Any], engine: BuiltEngine, tokenizer: str
) -> dict[str, Any]:
    """Arguments of ``LLM`` for a built engine, whose limits and weights are its own."""
    kept = {name: value for name, value in arguments.items() if name not in BUILD_ONLY}
    kept.pop("revision", None)
    return {"tokenizer": tokenizer, **kept, "model": str(engine.folder)}


def _content(source: ResolvedModel, folder: Path) -> dict[str, Any]:
    """What the weights are: a digest of the files, or the commit of a hub model."""
    if source.sha256 is not None:
        return {"sha256": source.sha256}
    if source.revision is not None:
        return {"id": source.path_or_id, "commit": source.revision}
    return {"sha256": digest_of(folder)}


def _torch() -> Any:
    import torch

    return torch
