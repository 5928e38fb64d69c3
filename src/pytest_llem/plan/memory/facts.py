"""A model's ``config.json``, read with tolerance for what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DTYPE_BYTES: dict[str, int] = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
NAMES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model", "dim"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head", "n_heads"),
    "intermediate_size": ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions", "n_ctx"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts"),
}
"""Names by which families call the same thing, ours first."""


class UnknownModelError(Exception):
    """A configuration does not say how large its model is; the message says what is missing."""


class ModelFacts:
    """The text part of a configuration, with what stands around it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        text = raw.get("text_config")
        self.text: Mapping[str, Any] = {**raw, **text} if isinstance(text, Mapping) else raw

    @property
    def family(self) -> str:
        """``model_type`` of the text part; empty if there is none."""
        return str(self.text.get("model_type") or "")

    @property
    def dtype(self) -> str | None:
        """Data type in which the weights were saved; ``None`` if it is not said."""
        found = next((self.text[key] for key in ("dtype", "torch_dtype") if self.text.get(key)), "")
        name = str(found).removeprefix("torch.")
        return name if name in DTYPE_BYTES else None

    @property
    def quantization(self) -> Mapping[str, Any] | None:
        """How the weights were quantized before they were saved; ``None`` if they were not."""
        for where in (self.text, self.raw):
            found = where.get("quantization_config") or where.get("compression_config")
            if isinstance(found, Mapping):
                return found
        return None

    def maybe(self, name: str, default: int | None = None) -> int | None:
        """The number *name*; *default* if there is none."""
        for known in NAMES.get(name, (name,)):
            value = self.text.get(known)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return default

    def number(self, name: str, default: int | None = None) -> int:
        """The number *name*, above zero.

        Raises:
            UnknownModelError: it is not there, or makes no sense.
        """
        value = self.maybe(name, default)
        if value is None:
            raise UnknownModelError(f"its config.json does not say {name}")
        if value < 1:
            raise UnknownModelError(f"its config.json says {name}={value}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Whether *name* is set; ``null`` and absence take the default."""
        value = self.text.get(name)
        return default if value is None else bool(value)

    @property
    def heads(self) -> int:
        return self.number("num_attention_heads")

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values; as many as those of queries where nothing else is said."""
        if self.text.get("multi_query") is True:
            return 1
        return self.number("num_key_value_heads", self.heads)

    def head_dim(self, default: int | None = None) -> int:
        """Width of a head; hidden size over heads where neither the file nor the family says."""
        return self.number("head_dim", default or self.number("hidden_size") // self.heads)
