"""Random draws that are the same on every platform, by SHAKE128 (FIPS 202)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES_PER_DRAW = 8


def drawn_ids(ordinary: Sequence[int], count: int, seed: str) -> tuple[int, ...]:
    """*count* of the ids, each as likely as any other.

    A draw is the remainder of 64 bits, so for any vocabulary the ids' chances
    differ by less than one in a billion.
    """
    size = len(ordinary)
    return tuple(ordinary[draw % size] for draw in _draws(f"prompt/{seed}", count))


def uniform(seed: str) -> float:
    """A number between 0 and 1, neither of them."""
    (draw,) = _draws(seed, 1)
    return ((draw >> 11) + 0.5) / (1 << 53)


def shuffled(count: int, seed: str) -> list[int]:
    """The numbers below *count* in a drawn order."""
    draws = _draws(seed, count)
    return sorted(range(count), key=lambda number: (draws[number], number))


def _draws(seed: str, count: int) -> list[int]:
    drawn = hashlib.shake_128(f"pytest-llem/{seed}".encode()).digest(count * BYTES_PER_DRAW)
    return [
        int.from_bytes(drawn[at : at + BYTES_PER_DRAW], "little")
        for at in range(0, len(drawn), BYTES_PER_DRAW)
    ]
