"""The key-value cache: how many bytes so many tokens take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.plan.memory.layers import family_of, kv_heads_of, windows_of

if TYPE_CHECKING:
    from pytest_llem.plan.memory.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What a model keeps of each token.

    ``bytes = per_layer × number_bytes × (full_layers × tokens + near_layers × min(tokens,
    window))`` for one request; ``per_layer`` is ``2 × kv_heads × head_dim``, or, where keys and
    values are kept compressed (DeepSeek), ``kv_lora_rank + qk_rope_head_dim``.
    """

    full_layers: int
    near_layers: int
    """Layers that look back no further than ``window``."""
    window: int | None
    kv_heads: int
    """1 where keys and values are kept compressed: no rank has less than all of it."""
    per_head: int
    """Numbers that a token leaves in a layer, for each of these heads."""
    number_bytes: float

    def token_bytes(self, ranks: int = 1) -> float:
        """Of one token in all layers, below the window, on each of *ranks* that share heads."""
        layers = self.full_layers + self.near_layers
        return layers * self._layer_bytes(ranks)

    def bytes_of(self, tokens: int, requests: int = 1, ranks: int = 1) -> float:
        """Of so many requests with so many tokens each, on each of *ranks* that share heads."""
        near = min(tokens, self.window) if self.window else tokens
        held = self.full_layers * tokens + self.near_layers * near
        return requests * held * self._layer_bytes(ranks)

    def _layer_bytes(self, ranks: int) -> float:
        heads = max(self.kv_heads / ranks, 1)
        return heads * self.per_head * self.number_bytes


def cache_shape(facts: ModelFacts, number_bytes: float) -> CacheShape:
    """The cache of a model.

    Raises:
        UnknownModelError: the configuration does not say.
    """
    family, _ = family_of(facts)
    full, near, window = windows_of(facts)
    if family.latent:
        kept = facts.number("kv_lora_rank") + facts.number("qk_rope_head_dim")
        return CacheShape(full, near, window, 1, kept, number_bytes)
    width = facts.head_dim(family.head_dim)
    return CacheShape(full, near, window, kv_heads_of(facts, family), 2 * width, number_bytes)
