"""How large a model is, as far as the energy of a token depends on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHAPE = "shape"
"""Under which an engine's description has these facts."""


class ModelShape(BaseModel):
    """What an engine says of a loaded model; ``None`` is unknown.

    All GPUs together: a model that is spread over several counts once.
    """

    model_config = ConfigDict(
        extra="ignore", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    parameters: int
    """All parameters."""
    weight_bytes: int
    """Bytes that they take in memory."""
    lookup_parameters: int = 0
    """Of them, those of which a token reads a single row: an embedding that is not the output's."""
    lookup_bytes: int = 0
    expert_parameters: int = 0
    """Of them, those of routed experts, all experts together."""
    expert_bytes: int = 0
    experts: int | None = None
    """Routed experts of a layer; ``None`` for a model without any."""
    experts_per_token: int | None = None
    layers: int | None = None
    """Layers that keep keys and values; ``None`` if some keep something else."""
    sliding_layers: int = 0
    """Of them, those that look back no further than ``sliding_window``."""
    sliding_window: int | None = None
    kv_heads: int | None = None
    """Heads of keys and values, fewer than those of queries where these share them."""
    head_dim: int | None = None
    kv_value_bits: int | None = None
    """Bits of one number of the key-value cache."""
    dtype: str | None = None
    """What is multiplied: ``bfloat16``, ``float16``, ``float32`` or ``float8``."""
    most_requests: int | None = None
    """Most requests that the engine serves at once; ``None`` if all that it is given."""

    @classmethod
    def of(cls, description: Mapping[str, Any] | None) -> ModelShape | None:
        """The shape in an engine's description; ``None`` where there is none."""
        try:
            return cls.model_validate((description or {}).get(SHAPE))
        except ValidationError:
            return None

    @property
    def plausible(self) -> bool:
        """Whether no part is negative or larger than its whole."""
        parts = (
            (self.lookup_parameters + self.expert_parameters, self.parameters),
            (self.lookup_bytes + self.expert_bytes, self.weight_bytes),
            (self.experts_per_token or 0, self.experts or 0),
            (self.sliding_layers, self.layers or 0),
        )
        counts = [count for count in self.model_dump(exclude={"dtype"}).values() if count]
        whole = min(self.parameters, self.weight_bytes) > 0 and min(counts) > 0
        return whole and all(part <= all_of_it for part, all_of_it in parts)

    def kv_bytes(self, context_tokens: float) -> float | None:
        """Keys and values of one request with so many tokens; ``None`` if it is not known."""
        if self.layers is None or self.kv_heads is None or self.head_dim is None:
            return None
        if self.kv_value_bits is None:
            return None
        near = min(context_tokens, self.sliding_window or context_tokens)
        tokens = (self.layers - self.sliding_layers) * context_tokens + self.sliding_layers * near
        return 2 * self.kv_heads * self.head_dim * self.kv_value_bits / 8 * tokens

    def mean_kv_bytes(self, input_tokens: float, steps: float) -> float | None:
        """The same on average over so many decode steps, each of which looks at itself, too.

        A window is full from some step on, so that this is not that of the mean context.
        """
        if steps <= 0:
            return self.kv_bytes(input_tokens)
        room = (self.sliding_window or math.inf) - input_tokens
        filling = min(max(room, 0.0), steps)
        full = steps - filling
        parts = (
            (filling, self.kv_bytes(input_tokens + (filling + 1) / 2)),
            (full, self.kv_bytes(input_tokens + filling + (full + 1) / 2)),
        )
        known = [count * found for count, found in parts if found is not None]
        return math.fsum(known) / steps if len(known) == len(parts) else None

    def expert_share(self, tokens: float) -> float:
        """Expected share of the experts that so many tokens reach, if each is as likely.

        ``1 - (1 - k/E)^tokens`` with k of E experts a token; 1 for a model without experts.
        """
        if not self.experts or not self.experts_per_token:
            return 1.0
        return float(1 - (1 - min(self.experts_per_token / self.experts, 1.0)) ** tokens)
