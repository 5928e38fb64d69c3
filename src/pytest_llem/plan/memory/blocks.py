"""A model as blocks: equal matrices or vectors of one kind, so many times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Part = Literal[
    "embedding", "head", "norm", "bias", "attention", "kv", "dense", "expert", "router", "vision"
]
"""What a block is for. ``kv`` are the projections to keys and values, ``dense`` the feed-forward
matrices that every token passes, ``vision`` all that reads pictures."""
MATRICES: frozenset[Part] = frozenset({"attention", "kv", "dense", "expert"})
"""Parts that are quantized unless a configuration says otherwise."""
WHOLE: frozenset[Part] = frozenset({"norm", "router"})
"""Parts of which every rank of tensor parallelism has all."""


@dataclass(frozen=True, slots=True)
class Block:
    """So many equal tensors."""

    part: Part
    rows: int
    """Outputs of a matrix; the length of a vector."""
    columns: int = 1
    """Inputs of a matrix; 1 for a vector."""
    count: int = 1
    layers: int = 0
    """Layers over which they are spread; 0 if they stand outside of the layers."""

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.count


@dataclass(frozen=True, slots=True)
class Blocks:
    """All of a model."""

    all: tuple[Block, ...]
    approximate: str | None = None
    """Why the numbers may be off; ``None`` if the architecture is known."""

    @property
    def parameters(self) -> int:
        return sum(block.parameters for block in self.all)

    def parameters_of(self, *parts: Part) -> int:
        """Those of some parts."""
        return sum(block.parameters for block in self.all if block.part in parts)


def spread(blocks: Iterable[Block], layers: int) -> list[Block]:
    """The blocks of one layer, so many times."""
    return [replace(block, count=block.count * layers, layers=layers) for block in blocks if layers]


def linear(part: Part, inputs: int, outputs: int, *, bias: bool, count: int = 1) -> list[Block]:
    """Matrices and, where they have them, their biases."""
    biases = [Block("bias", outputs, count=count)] if bias else []
    return [Block(part, outputs, inputs, count), *biases]
