"""What vLLM reserves and does for inputs beyond text."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Count, NotNegative, Section, Text


class Multimodal(Section):
    """Pictures, videos and sounds; text-only experiments still pay for what is reserved."""

    language_model_only: bool | None = None
    """Leave the encoders of a multimodal model out."""
    limit_mm_per_prompt: dict[str, int | dict[str, int]] | None = None
    """Most pictures, videos or sounds of a prompt, by kind."""
    enable_mm_embeds: bool | None = None
    """Accept embeddings of pictures and sounds."""
    interleave_mm_strings: bool | None = None
    """Keep text and pictures in the order of the prompt."""
    media_io_kwargs: dict[str, dict[str, Any]] | None = None
    """How media are decoded, by kind."""
    mm_processor_kwargs: dict[str, Any] | None = None
    """Arguments of the model's multimodal processor."""
    mm_processor_cache_gb: NotNegative | None = None
    """Cache of processed media, in GiB a process; 0 is none."""
    mm_processor_cache_type: Literal["shm", "lru"] | None = None
    """Where that cache lies."""
    mm_shm_cache_max_object_size_mb: Count | None = None
    """Largest object of a shared cache, in MiB."""
    mm_processor_device: Text | None = None
    """Device on which media are processed."""
    mm_hasher_algorithm: Literal["blake3", "sha256", "sha512"] | None = None
    """How media are recognized."""
    mm_tensor_ipc: Literal["direct_rpc", "torch_shm"] | None = None
    """How processed media reach the engine."""
    mm_ipc_gpu_memory_gb: NotNegative | None = None
    """Device memory for processing media, in GiB."""
    mm_device_do_normalize: bool | None = None
    """Normalize pictures on the device."""
    mm_encoder_only: bool | None = None
    """Run the encoder and no language model."""
    mm_encoder_tp_mode: Literal["weights", "data"] | None = None
    """Whether ranks split the encoder's weights or its inputs."""
    mm_encoder_attn_backend: Text | None = None
    """Attention kernels of the encoder."""
    mm_encoder_attn_dtype: Text | None = None
    """Data type of the encoder's attention."""
    mm_encoder_fp8_scale_path: Text | None = None
    """File with the scales of an encoder in fp8."""
    skip_mm_profiling: bool | None = None
    """Reserve no memory for the encoder's largest input."""
    video_pruning_rate: float | None = Field(default=None, ge=0, lt=1)
    """Share of a video's tokens that are left out."""
    video_pruning_method: Literal["evs", "vidcom2"] | None = None
    """Which ones."""
