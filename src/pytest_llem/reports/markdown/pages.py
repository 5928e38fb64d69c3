"""Pages that keep a limit of size: what matters most is there, and what is left out is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "\n\n"
_LONGEST_COUNT = 20
"""Digits of any number of items, with what separates them."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page, with nothing but a blank line between it and the next."""

    head: str
    items: Sequence[str] = ()
    """Lines after the head, of which the last ones may be left out."""
    tail: str = ""
    remark: str = ""
    """Stands for what was left out; ``{}`` in it is how many items, and ``{all}`` of how many."""
    turn: int = 0
    """Blocks with a lower one have their items first."""

    def text(self, taken: int) -> str:
        """The block with its first *taken* items."""
        left_out = len(self.items) - taken
        parts = ["\n".join([self.head, *self.items[:taken]])]
        if left_out:
            parts.append(self.remark.format(left_out, all=len(self.items)))
            parts = parts if taken else parts[1:]
        is_open = taken or not self.items
        return _GAP.join([*parts, self.tail] if self.tail and is_open else parts)

    @property
    def least(self) -> int:
        """Bytes that it takes at most before it has any item."""
        parts = (self.head, self.remark if self.items else "", self.tail)
        return sum(size(part) + len(_GAP) for part in parts) + _LONGEST_COUNT


def size(text: str) -> int:
    """Bytes that *text* takes; it has never more characters."""
    return len(text.encode())


def page(blocks: Sequence[Block], limit_bytes: int) -> str:
    """*blocks* one below the other in at most *limit_bytes*, with a line break at the end.

    Items are left out from the last turn to the first, and of a block its last ones. If not even
    the heads fit, blocks are left out from the end.
    """
    blocks = list(blocks)
    while blocks and sum(block.least for block in blocks) > limit_bytes:
        blocks.pop()
    taken = _taken(blocks, limit_bytes - sum(block.least for block in blocks))
    texts = [block.text(count) for block, count in zip(blocks, taken, strict=True)]
    return _GAP.join(texts) + "\n" if texts else ""


def _taken(blocks: Sequence[Block], room: int) -> list[int]:
    """How many items of each block there is *room* for."""
    taken = [0] * len(blocks)
    for number in sorted(range(len(blocks)), key=lambda number: blocks[number].turn):
        for item in blocks[number].items:
            needed = size(item) + 1
            if needed > room:
                break
            room -= needed
            taken[number] += 1
    return taken
