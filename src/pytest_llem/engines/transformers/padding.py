"""Prompts of different lengths as one rectangle, padded on the left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.workloads.request import Request


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """A batch of prompts; rows of shape (batch, width)."""

    token_ids: list[list[int]]
    attention_mask: list[list[int]]
    """1 for a token of the prompt, 0 for padding."""
    width: int
    """Tokens of the longest prompt."""
    steps: int
    """Output tokens of the request that wants the most."""


def pad_left(requests: Sequence[Request], pad_id: int) -> PaddedBatch:
    """*requests* (at least one) as a rectangle that ends where every prompt ends."""
    width = max(len(request.prompt_token_ids) for request in requests)
    token_ids, attention_mask = [], []
    for request in requests:
        prompt = request.prompt_token_ids
        missing = width - len(prompt)
        token_ids.append([pad_id] * missing + list(prompt))
        attention_mask.append([0] * missing + [1] * len(prompt))
    steps = max(request.output_tokens for request in requests)
    return PaddedBatch(token_ids, attention_mask, width, steps)
