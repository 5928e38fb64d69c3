"""Versions of libraries below an engine, by the names of their metadata; none is opened."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.components.component import normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LIBRARY = re.compile(
    r"nvidia-.*|cuda-.*|rocm-.*|triton(-rocm)?|pytorch-triton.*|flash-attn.*|flashinfer-.*"
    r"|xformers|bitsandbytes|auto(-)?gptq|autoawq|gptqmodel|llmcompressor|compressed-tensors"
    r"|deepspeed|optimum|peft|safetensors|sentencepiece|tensorrt.*|onnx|onnxruntime.*"
    r"|openvino|mkl|intel-openmp|ray|xgrammar|outlines-core|huggingface-hub|torchao"
    r"|torchvision|kernels|mamba-ssm|causal-conv1d|amdsmi|codecarbon|cupy-.*"
)
"""Names as package indexes compare them (PEP 503)."""
_METADATA = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)\.dist-info")
"""Folder of an installed distribution (PEP 376, as PEP 427 spells names)."""


def libraries(path: Iterable[str] | None = None) -> dict[str, str]:
    """Versions of the libraries installed along *path* (``sys.path``), sorted by name.

    The first of a name counts, as it does for imports.
    """
    found: dict[str, str] = {}
    for folder in sys.path if path is None else path:
        for match in _distributions(Path(folder or ".")):
            found.setdefault(normalized(match["name"]), match["version"])
    return recorded_libraries(found)


def recorded_libraries(installed: Mapping[str, str]) -> dict[str, str]:
    """Of all that another interpreter has *installed*, what :func:`libraries` tells of this one."""
    named = {normalized(name): version for name, version in installed.items()}
    return {name: named[name] for name in sorted(named) if _LIBRARY.fullmatch(name)}


def _distributions(folder: Path) -> list[re.Match[str]]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:  # a zip, or nothing
        return []
    return [match for name in names if (match := _METADATA.fullmatch(name))]
