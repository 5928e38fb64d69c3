"""What reaches ``from_pretrained`` of transformers."""

from __future__ import annotations

from typing import Any, Literal

from pytest_llem.config.engines.section import Section, Text


class Loading(Section):
    """How a model is read, where it is put, and which kernels it gets."""

    attn_implementation: (
        Literal[
            "eager",
            "sdpa",
            "flash_attention_2",
            "flash_attention_3",
            "flash_attention_4",
            "flex_attention",
        ]
        | None
    ) = None
    """Attention kernel; ``None`` lets transformers choose."""
    experts_implementation: Literal["eager", "batched_mm", "grouped_mm"] | None = None
    """How the experts of a layer are multiplied; ``None`` lets transformers choose."""
    use_kernels: bool | None = None
    """Replace layers by kernels from the hub."""
    allow_all_kernels: bool | None = None
    """Take kernels of any author there."""
    kernel_config: dict[str, Any] | None = None
    """Kernels by layer."""
    fusion_config: dict[str, bool | dict[str, Any]] | None = None
    """Layers that are fused, by family."""
    quantization_config: dict[str, Any] | None = None
    """Quantization by its ``quant_method``, where the experiment's ``quantization`` says too little."""
    device_map: str | dict[str, int | str] | None = None
    """Placement across devices, as in ``from_pretrained``; ``None`` puts all on ``device``."""
    max_memory: dict[int | str, int | str] | None = None
    """Most memory that ``device_map`` may use, by device, such as ``10GiB``."""
    offload_folder: Text | None = None
    """Folder for weights that ``device_map`` puts on disk."""
    offload_buffers: bool | None = None
    """Offload buffers together with weights."""
    use_safetensors: bool | None = None
    """Insist on safetensors files, or avoid them."""
    weights_only: bool | None = None
    """Refuse to unpickle anything but weights."""
    disable_mmap: bool | None = None
    """Read files into memory instead of mapping them."""
    subfolder: Text | None = None
    """Folder of the model within its repository."""
    variant: Text | None = None
    """Variant in the names of weight files, such as ``fp16``."""
    gguf_file: Text | None = None
    """GGUF file of the repository to read, which is dequantized."""
    key_mapping: dict[str, str] | None = None
    """Names of weights by patterns that match them in the files."""
    ignore_mismatched_sizes: bool | None = None
    """Replace weights of another shape by random ones."""
    adapter_kwargs: dict[str, Any] | None = None
    """Where the model's adapter is."""
    adapter_name: Text | None = None
    """Name that the adapter is loaded under."""
    trust_remote_code: bool = False
    """Run code that a model repository ships."""
    code_revision: Text | None = None
    """Revision of that code."""
