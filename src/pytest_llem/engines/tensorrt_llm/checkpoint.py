"""What the folder of a model says: its configuration, its weights, how they are quantized."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")
PACKED = {"U8": 2, "I32": 8}
"""Numbers of four bits that a quantized tensor packs into one element, by its type."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Sizes of what lies in the safetensors files."""

    parameters: int
    bytes: int
    lookup_parameters: int
    lookup_bytes: int


def quantization_of(folder: Path) -> str | None:
    """How the weights are quantized, as the checkpoint itself says it; ``None`` if they are not.

    NVIDIA's ModelOpt writes ``hf_quant_config.json``, others ``quantization_config`` of the
    model's configuration.
    """
    exported = read_json(folder / "hf_quant_config.json").get("quantization", {})
    inside = read_json(folder / "config.json").get("quantization_config", {})
    found = exported.get("quant_algo") or inside.get("quant_algo") or inside.get("quant_method")
    return None if found is None else str(found)


def weights_of(folder: Path) -> Weights | None:
    """Sizes by the headers of the folder's files; ``None`` if one cannot be read.

    A header is JSON behind its own length in eight bytes
    (https://github.com/huggingface/safetensors, "Format").
    """
    files = sorted(folder.glob("*.safetensors"))
    try:
        tensors = {name: one for file in files for name, one in _header(file).items()}
        if not tensors:
            return None
        looked_up = {name: one for name, one in tensors.items() if name.endswith(EMBEDDINGS)}
        tied = not any(name.endswith("lm_head.weight") for name in tensors)
        return Weights(*_size(tensors), *(_size({} if tied else looked_up)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest_of(folder: Path) -> str:
    """SHA-256 over names and contents of all files of the folder, in the order of the names.

    Raises:
        OSError: a file cannot be read.
    """
    sha = hashlib.sha256()
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        sha.update(f"{file.relative_to(folder)}\0{content}\0".encode())
    return sha.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    return dict(header)


def _size(tensors: dict[str, Any]) -> tuple[int, int]:
    numbers = sum(
        math.prod(one["shape"]) * (PACKED.get(one["dtype"], 1)) for one in tensors.values()
    )
    spans = (one["data_offsets"] for one in tensors.values())
    return numbers, sum(end - start for start, end in spans)
