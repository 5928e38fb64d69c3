"""How the matrices of a model are stored, and how many bytes a block then takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from pytest_llem.plan.memory.blocks import MATRICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.plan.memory.blocks import Block, Part

INDEX_BYTES = 4
_WORDS: Mapping[Part, tuple[str, ...]] = {
    "attention": ("self_attn", "attn", "attention"),
    "kv": ("self_attn", "attn", "attention"),
    "dense": ("mlp", "feed_forward"),
    "expert": ("experts", "moe"),
}
"""Names of the modules that a part is in, as lists of exceptions have them."""
_LAYER = re.compile(r"(?:layers|h|blocks)\.(\d+)(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to store a matrix of ``rows`` outputs and ``columns`` inputs."""

    name: str
    """In words, such as ``awq int4, groups of 128``."""
    bits: float
    """Of one weight."""
    group: int = 0
    """Inputs that share a scale; 0 is a whole row of inputs, that is one scale an output."""
    tile: int = 1
    """Outputs that share a scale, too."""
    scale_bytes: float = 0.0
    """Of one scale; 0 for none at all."""
    zero_bits: float = 0.0
    """Of one zero point, one a scale; 0 for none."""
    indexed: bool = False
    """Whether each input has its group's number (GPTQ)."""
    parts: frozenset[Part] = MATRICES
    """Parts that are stored so; all others keep their data type."""
    kept: tuple[tuple[Part, int], ...] = ()
    """Layers of those parts that keep their data type all the same, by number; -1 is all."""

    def bytes_of(self, block: Block, itemsize: int) -> float:
        """Bytes of *block*, whose data type else takes *itemsize* a number."""
        plain = block.parameters * itemsize
        if block.part not in self.parts:
            return plain
        kept = dict(self.kept).get(block.part, 0)
        if kept < 0 or not block.layers:
            return plain
        share = min(kept / block.layers, 1.0)
        return share * plain + (1 - share) * self._stored(block)

    def _stored(self, block: Block) -> float:
        groups = ceil(block.columns / self.group) if self.group else 1
        scales = groups * ceil(block.rows / self.tile)
        found = block.rows * block.columns * self.bits / 8
        found += scales * (self.scale_bytes + self.zero_bits / 8)
        found += INDEX_BYTES * block.columns if self.indexed else 0
        return found * block.count


def kept_layers(patterns: Iterable[object]) -> tuple[tuple[Part, int], ...]:
    """Parts that a list of exceptions spares, with the number of layers; -1 is all of them.

    A pattern without a layer's number spares the part everywhere.
    """
    layers: dict[Part, set[int]] = {}
    for pattern in patterns:
        text = str(pattern)
        numbered = _LAYER.search(text)
        for part in _named(text):
            layers.setdefault(part, set()).add(int(numbered[1]) if numbered else -1)
    return tuple(
        (part, -1 if -1 in found else len(found)) for part, found in sorted(layers.items())
    )


def _named(pattern: str) -> list[Part]:
    """Parts that a pattern is about; one for the gate of experts or the head is about none."""
    words = set(re.split(r"[^a-z_]+", pattern.lower()))
    last = re.split(r"[^a-z_]+", pattern.lower().rstrip(".*$"))[-1]
    if words & {"vision_tower", "visual", "vision_model", "multi_modal_projector"}:
        return []
    if "experts" in words and "shared_experts" not in words:
        return ["expert"]
    if last in {"gate", "router", "shared_expert_gate"}:
        return []
    return [part for part, names in _WORDS.items() if words & set(names)]
