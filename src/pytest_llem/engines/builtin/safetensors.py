"""The safetensors format, written by hand so that no library version changes a byte.

Eight bytes with the length of the header (little-endian), the header as JSON,
padded with spaces to a multiple of eight, then the tensors' bytes in order.
Source: https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Tensor:
    """A bfloat16 tensor by its name and little-endian bytes."""

    name: str
    shape: tuple[int, ...]
    content: bytes


def safetensors_bytes(tensors: Iterable[Tensor]) -> bytes:
    """The whole file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    contents: list[bytes] = []
    offset = 0
    for tensor in tensors:
        end = offset + len(tensor.content)
        header[tensor.name] = {
            "dtype": "BF16",
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        contents.append(tensor.content)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *contents])
