"""A Hugging Face tokenizer, as far as a workload needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class HuggingFaceTokenizer:
    """Text to token ids that a given model accepts."""

    def __init__(self, tokenizer: Any, model_vocabulary: int, end_ids: Iterable[int]) -> None:
        """*model_vocabulary* is the number of embeddings, which may be more or fewer than tokens."""
        self._tokenizer = tokenizer
        self.vocabulary_size = min(len(tokenizer), model_vocabulary)
        added = tokenizer.added_tokens_decoder
        marked = (token_id for token_id, token in added.items() if token.special)
        special = {*tokenizer.all_special_ids, *marked, *end_ids}
        self.special_token_ids = frozenset(i for i in special if 0 <= i < self.vocabulary_size)

    def encode(self, text: str) -> list[int]:
        """Token ids of *text*, without special tokens, however long it is."""
        return list(self._tokenizer.encode(text, add_special_tokens=False, verbose=False))
