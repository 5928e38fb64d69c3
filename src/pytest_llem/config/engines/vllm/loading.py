"""Which model vLLM runs, and how its weights are read and quantized."""

from __future__ import annotations

from typing import Any, Literal

from pytest_llem.config.engines.section import Count, Section, Text


class Loading(Section):
    """What is loaded, and from what."""

    tokenizer: Text | None = None
    """Tokenizer's folder or hub id, where it is not the model's own."""
    tokenizer_mode: (
        Literal[
            "auto", "hf", "mistral", "deepseek_v32", "deepseek_v4", "inkling", "kimi_k3", "cohere"
        ]
        | None
    ) = None
    """Implementation of the tokenizer."""
    tokenizer_revision: Text | None = None
    """Revision of the tokenizer on the hub."""
    skip_tokenizer_init: bool | None = None
    """Run on token ids alone, without a tokenizer."""
    enable_prompt_embeds: bool | None = None
    """Accept embeddings in place of token ids."""
    trust_remote_code: bool | None = None
    """Run code that a model repository ships."""
    code_revision: Text | None = None
    """Revision of that code."""
    model_weights: Text | None = None
    """Where the weights were first, if the model was fetched from object storage."""
    hf_config_path: Text | None = None
    """Folder or hub id of the model's configuration, where it is not the model's."""
    config_format: Literal["auto", "hf", "mistral"] | None = None
    """Format of the model's configuration."""
    hf_overrides: dict[str, Any] | None = None
    """Values that replace those of the model's configuration."""
    model_class_overrides: dict[str, str] | None = None
    """Classes (``module:class``) by the architectures that they implement instead."""
    model_impl: Literal["auto", "vllm", "transformers", "terratorch"] | None = None
    """Whose implementation of the model runs."""
    load_format: Text | None = None
    """Format of the weights, such as ``safetensors``, ``gguf`` or ``dummy``."""
    safetensors_load_strategy: Literal["lazy", "eager", "prefetch", "torchao"] | None = None
    """How safetensors files are read."""
    safetensors_prefetch_num_threads: Count | None = None
    """Threads that read weights ahead."""
    safetensors_prefetch_block_size: Count | None = None
    """Bytes that each of them reads at once."""
    model_loader_extra_config: dict[str, Any] | None = None
    """Settings of the loader of this ``load_format``."""
    ignore_patterns: tuple[str, ...] | None = None
    """Files of the repository that are not read."""
    max_parallel_loading_workers: Count | None = None
    """Ranks that read weights at the same time."""
    pt_load_map_location: str | dict[str, str] | None = None
    """Device onto which PyTorch checkpoints are read."""
    quantization_config: dict[str, Any] | None = None
    """Details of a quantization that is made while loading."""
    override_generation_config: dict[str, Any] | None = None
    """Values that replace those of the model's generation settings."""
    generation_config: Text | None = None
    """Whose generation settings are the default: ``auto``, ``vllm`` or a folder."""
    additional_config: dict[str, Any] | None = None
    """Settings of a platform's plugin."""


class Lora(Section):
    """Low-rank adapters beside the weights."""

    enable_lora: bool | None = None
    """Make room for adapters."""
    max_loras: Count | None = None
    """Most adapters in one batch."""
    max_lora_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] | None = None
    """Highest rank of an adapter."""
    max_cpu_loras: Count | None = None
    """Most adapters kept in host memory."""
    lora_dtype: Text | None = None
    """Data type of adapters."""
    lora_target_modules: tuple[str, ...] | None = None
    """Modules that adapters may change; others are left as they are."""
    fully_sharded_loras: bool | None = None
    """Split both matrices of an adapter over tensor-parallel ranks."""
    default_mm_loras: dict[str, str] | None = None
    """Adapters that always apply, by kind of input."""
    enable_tower_connector_lora: bool | None = None
    """Adapt a multimodal model's encoder and connector, too."""
    specialize_active_lora: bool | None = None
    """Capture graphs for each number of active adapters."""
    enable_mixed_moe_lora_format: bool | None = None
    """Accept adapters of experts in either layout, at the cost of the slower one."""
    enable_moe_shared_loras: bool | None = None
    """Adapters of experts whose outer matrices are shared."""
