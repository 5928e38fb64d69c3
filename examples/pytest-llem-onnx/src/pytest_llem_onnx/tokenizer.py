"""The model's tokenizer, as far as a workload needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class OnnxTokenizer:
    """Text to token ids that the model accepts."""

    def __init__(
        self, tokenizer: Any, folder: str, *, vocabulary_size: int, further_special: Iterable[int]
    ) -> None:
        """Wrap the library's *tokenizer*.

        Args:
            tokenizer: ``onnxruntime_genai.Tokenizer``.
            folder: the model's, whose ``tokenizer.json`` says which tokens are special.
            vocabulary_size: embeddings of the model.
            further_special: ids that must not appear in prompts although nothing marks them.
        """
        tokenizer.update_options(add_special_tokens="false")
        self._tokenizer = tokenizer
        text = (Path(folder) / "tokenizer.json").read_text(encoding="utf-8")
        known = json.loads(text)
        added = known.get("added_tokens", [])
        ids = {*known["model"]["vocab"].values(), *(token["id"] for token in added)}
        self.vocabulary_size = min(vocabulary_size, max(ids) + 1)
        marked = {token["id"] for token in added if token.get("special")}
        self.special_token_ids = frozenset(
            one for one in {*marked, *further_special} if 0 <= one < self.vocabulary_size
        )

    def encode(self, text: str) -> list[int]:
        """Token ids of *text*, without special tokens."""
        return [int(one) for one in self._tokenizer.encode(text)]
