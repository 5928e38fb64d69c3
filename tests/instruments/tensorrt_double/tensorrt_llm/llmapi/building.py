"""``BuildConfig``, and what the stand-in writes for an engine."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from tensorrt_llm import faults
from tensorrt_llm.llmapi.configs import LoraConfig, Strict

BUILD_S = 0.05


class PluginConfig(BaseModel):
    gpt_attention_plugin: str | None = "auto"
    gemm_plugin: str | None = None
    nccl_plugin: str | None = "auto"
    lora_plugin: str | None = None
    moe_plugin: str | None = "auto"
    context_fmha: bool = True
    paged_kv_cache: bool | None = None
    remove_input_padding: bool = True
    tokens_per_block: int = 32
    use_paged_context_fmha: bool = True
    use_fused_mlp: bool = True
    multiple_profiles: bool = False
    reduce_fusion: bool = False
    manage_weights: bool = False


class BuildConfig(Strict):
    max_input_len: int = 1024
    max_seq_len: int | None = None
    opt_batch_size: int = 8
    max_batch_size: int = 2048
    max_beam_width: int = 1
    max_num_tokens: int = 8192
    opt_num_tokens: int | None = None
    max_prompt_embedding_table_size: int = 0
    kv_cache_type: str | None = None
    gather_context_logits: bool = False
    gather_generation_logits: bool = False
    strongly_typed: bool = True
    force_num_profiles: int | None = None
    profiling_verbosity: str = "layer_names_only"
    enable_debug_output: bool = False
    max_draft_len: int = 0
    speculative_decoding_mode: int = 1
    use_refit: bool = False
    input_timing_cache: str | None = None
    output_timing_cache: str = "model.cache"
    lora_config: LoraConfig = Field(default_factory=LoraConfig)
    weight_sparsity: bool = False
    weight_streaming: bool = False
    plugin_config: PluginConfig = Field(default_factory=PluginConfig)
    use_strip_plan: bool = False
    max_encoder_input_len: int = 1024
    dry_run: bool = False
    visualize_network: str | None = None
    monitor_memory: bool = False
    use_mrope: bool = False


def is_engine(folder: Path) -> bool:
    return {"pretrained_config", "build_config"} <= read(folder).keys()


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text()))


def write_engine(folder: Path, args: Any, version: str) -> None:
    """An engine of *args* as files; takes a moment, as a build does."""
    faults.at_build()
    time.sleep(BUILD_S)
    model = read(Path(args.model))
    build = args.build_config.model_dump(mode="json", exclude={"dry_run", "visualize_network"})
    build["max_seq_len"] = build["max_seq_len"] or model["max_position_embeddings"]
    quantized = args.quant_config.quant_algo
    said = {
        "version": version,
        "pretrained_config": {
            "architecture": model["architectures"][0],
            "dtype": _dtype(args.dtype, model),
            "vocab_size": model["vocab_size"],
            "max_position_embeddings": model["max_position_embeddings"],
            "quantization": {"quant_algo": quantized and quantized.name},
            "mapping": {
                "tp_size": args.tensor_parallel_size,
                "pp_size": args.pipeline_parallel_size,
            },
        },
        "build_config": build,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(said, indent=1)
    (folder / "config.json").write_text(text)
    for rank in range(args.tensor_parallel_size * args.pipeline_parallel_size):
        (folder / f"rank{rank}.engine").write_bytes(_plan(text, rank))


def check_engine(folder: Path, args: Any) -> None:
    """What the runtime refuses."""
    text = (folder / "config.json").read_text()
    mapping = json.loads(text)["pretrained_config"]["mapping"]
    if args.tensor_parallel_size not in {1, mapping["tp_size"]}:
        raise ValueError(
            f"tp_size {args.tensor_parallel_size} is not consistent with the engine's tp_size "
            f"{mapping['tp_size']}"
        )
    for rank in range(mapping["tp_size"] * mapping["pp_size"]):
        if (folder / f"rank{rank}.engine").read_bytes() != _plan(text, rank):
            raise RuntimeError(
                "[TensorRT-LLM][ERROR] Assertion failed: Failed to deserialize cuda engine."
            )


def _plan(text: str, rank: int) -> bytes:
    return hashlib.sha256(f"{text}{rank}".encode()).digest() * 64


def _dtype(asked: str, model: dict[str, Any]) -> str:
    own = model.get("dtype") or model.get("torch_dtype") or "float16"
    return str(own) if asked == "auto" else asked
