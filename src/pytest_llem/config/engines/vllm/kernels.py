"""What vLLM compiles, captures and computes with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.config.engines.section import Natural, Section, Text


class Kernels(Section):
    """Compilation, CUDA graphs, and kernels by operation."""

    enforce_eager: bool = False
    """No CUDA graphs, no compilation."""
    compilation_config: dict[str, Any] | None = None
    """Compilation's settings as one mapping, ``mode`` among them."""
    cudagraph_capture_sizes: tuple[int, ...] | None = Field(default=None, min_length=1)
    """Numbers of tokens for which CUDA graphs are captured."""
    max_cudagraph_capture_size: Natural | None = None
    """Most tokens of a captured graph."""
    attention_backend: Text | None = None
    """Attention kernels, such as ``FLASH_ATTN`` or ``FLASHINFER``."""
    attention_config: dict[str, Any] | None = None
    """Attention's settings as one mapping."""
    kernel_config: dict[str, Any] | None = None
    """Kernels' settings as one mapping."""
    ir_op_priority: dict[str, Any] | None = None
    """Implementations in the order in which they are tried, by operation."""
    enable_flashinfer_autotune: bool | None = None
    """Try FlashInfer's kernels against each other while warming up."""
    linear_backend: (
        Literal[
            "auto",
            "cutlass",
            "flashinfer_cutlass",
            "flashinfer_cutedsl",
            "flashinfer_trtllm",
            "flashinfer_cudnn",
            "flashinfer_b12x",
            "b12x",
            "marlin",
            "humming",
            "triton",
            "deep_gemm",
            "torch",
            "aiter",
            "machete",
            "fbgemm",
            "conch",
            "exllama",
            "emulation",
            "xpu",
            "xpu_woq",
        ]
        | None
    ) = None
    """Matrix products of linear layers."""
    moe_backend: (
        Literal[
            "auto",
            "triton",
            "batched_triton",
            "deep_gemm",
            "deep_gemm_mega_moe",
            "cutlass",
            "flashinfer_trtllm",
            "flashinfer_cutlass",
            "flashinfer_cutedsl",
            "flashinfer_moe_ep_cutedsl",
            "flashinfer_b12x",
            "b12x",
            "flashinfer_moe_ep_mega_deep_gemm",
            "marlin",
            "humming",
            "triton_unfused",
            "aiter",
            "aiter_mega_moe",
            "aiter_triton_mxfp4_bf16",
            "flydsl",
            "hpc",
            "emulation",
            "rdna3",
        ]
        | None
    ) = None
    """Matrix products of experts."""
    sparse_indexer_topk_backend: (
        Literal[
            "auto",
            "deep_select",
            "cooperative",
            "persistent",
            "per_row",
            "flashinfer",
            "torch",
            "aiter",
        ]
        | None
    ) = None
    """Selection of tokens in sparse attention."""
