"""Engine-specific sections of an experiment, one model an engine."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.model import Model


class TransformersOptions(Model):
    """Parameters of Hugging Face transformers that move energy or speed."""

    attn_implementation: (
        Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"] | None
    ) = None
    """Attention kernel; ``None`` lets transformers choose."""
    cache_implementation: (
        Literal["dynamic", "static", "offloaded", "offloaded_static", "quantized"] | None
    ) = None
    """Key-value cache kind; ``None`` lets transformers choose."""
    torch_compile: bool = False
    """Compile the forward pass with ``torch.compile``."""
    device_map: str | None = None
    """Placement across devices, as in ``from_pretrained``; ``None`` puts all on ``device``."""
    trust_remote_code: bool = False
    """Run code that a model repository ships."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further keyword arguments of ``from_pretrained``, passed on as they are."""


class VllmOptions(Model):
    """Parameters of vLLM that move energy or speed.

    All but ``streaming``, ``multiprocessing`` and ``extra`` are fields of ``EngineArgs``.
    """

    streaming: bool = False
    """Serve through ``AsyncLLM``, each request at its own arrival, a chunk a token; else ``LLM``."""
    multiprocessing: bool | None = None
    """The engine's core in a process of its own; ``None`` lets vLLM choose. Streaming always has one."""
    max_num_seqs: int | None = Field(default=None, ge=1)
    """Most sequences in one step."""
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    """Most tokens in one step."""
    max_model_len: int | None = Field(default=None, ge=1)
    """Longest context, in tokens."""
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    """Share of the device's memory that vLLM may take."""
    enforce_eager: bool = False
    """No CUDA graphs, no compilation."""
    enable_prefix_caching: bool = False
    """Reuse of cached prefixes; off, so that repeated prompts do repeated work."""
    enable_chunked_prefill: bool | None = None
    """Split long prefills over steps; ``None`` lets vLLM choose."""
    kv_cache_dtype: str | None = None
    """Data type of the key-value cache; ``None`` lets vLLM choose."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further ``EngineArgs``, passed on as they are."""


class TensorrtLlmOptions(Model):
    """Parameters of TensorRT-LLM that move energy or speed."""

    max_batch_size: int | None = Field(default=None, ge=1)
    """Most sequences in one step."""
    max_num_tokens: int | None = Field(default=None, ge=1)
    """Most tokens in one step."""
    max_seq_len: int | None = Field(default=None, ge=1)
    """Longest context, in tokens."""
    free_gpu_memory_fraction: float | None = Field(default=None, gt=0, le=1)
    """Share of free device memory for the key-value cache."""
    enable_block_reuse: bool = False
    """Reuse of cached blocks; off, so that repeated prompts do repeated work."""
    enable_chunked_prefill: bool | None = None
    """Split long prefills over steps; ``None`` lets the engine choose."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of ``LLM``, passed on as they are."""
