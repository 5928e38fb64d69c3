"""Where prompts for a server come from: the model's own tokens, or words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.model_source import BUILTIN_PREFIX, resolve_model
from pytest_llem.errors import LlemError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMON = """
the of and to in is that it for was on are as with at be this have from or one had by word
but not what all were we when your can said there use an each which she do how their if will
up other about out many then them these so some her would make like him into time has look
two more write go see number no way could people my than first water been call who its now
find long down day did get come made may part over new sound take only little work know
place year live me back give most very after thing our just name good sentence man think say
great where help through much before line right too mean old any same tell boy follow came
want show also around form three small set put end does another well large must big even
"""
WORDS = tuple(_COMMON.split())
"""Common English words, of which most tokenizers make one token each."""


class WordVocabulary:
    """Words for tokens: for servers whose tokenizer is not at hand, or that take text only.

    How many tokens the server makes of a prompt is what its usage says.
    """

    exact = False

    def __init__(self) -> None:
        self._words = list(WORDS)
        self._numbers = {word: number for number, word in enumerate(WORDS)}

    @property
    def tokenizer(self) -> WordVocabulary:
        return self

    @property
    def vocabulary_size(self) -> int:
        return len(WORDS)

    @property
    def special_token_ids(self) -> frozenset[int]:
        return frozenset()

    def encode(self, text: str) -> list[int]:
        """Numbers of the words of *text*, split at spaces; new words get numbers of their own."""
        return [self._number(word) for word in text.split()]

    def text(self, token_ids: Sequence[int]) -> str:
        return " ".join(self._words[number] for number in token_ids)

    def _number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self._words)
            self._words.append(word)
        return self._numbers[word]


class FileVocabulary:
    """Tokens of a model whose ``tokenizer.json`` is on this machine."""

    exact = True

    def __init__(self, file: Path, embeddings: int | None) -> None:
        content = json.loads(file.read_text(encoding="utf-8"))
        added = content.get("added_tokens") or []
        known = {*_ids(content["model"]["vocab"]), *(token["id"] for token in added)}
        self._file = file
        self._loaded: Any = None
        self.vocabulary_size = min(max(known) + 1, embeddings or max(known) + 1)
        unused = set(range(self.vocabulary_size)) - known
        self.special_token_ids = frozenset({token["id"] for token in added} | unused)

    @property
    def tokenizer(self) -> FileVocabulary:
        return self

    def encode(self, text: str) -> list[int]:
        return list(self._library().encode(text, add_special_tokens=False).ids)

    def text(self, token_ids: Sequence[int]) -> str:
        return str(self._library().decode(list(token_ids), skip_special_tokens=False))

    def _library(self) -> Any:
        if self._loaded is None:
            try:
                from tokenizers import Tokenizer
            except ModuleNotFoundError:
                raise MissingExtraError(
                    "tokenizers (for prompts given as texts)", "openai"
                ) from None
            self._loaded = Tokenizer.from_file(str(self._file))
        return self._loaded


def vocabulary_of(model: str, revision: str | None) -> FileVocabulary | None:
    """The tokens of *model* if it is built in or a folder here; ``None`` if it is not."""
    looks_local = model.startswith((BUILTIN_PREFIX, "/", ".", "~")) or Path(model).is_dir()
    if not looks_local:
        return None
    try:
        folder = Path(resolve_model(model, revision).path_or_id)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return FileVocabulary(folder / "tokenizer.json", config.get("vocab_size"))
    except (LlemError, OSError, ValueError, LookupError, TypeError):
        return None


def _ids(vocab: Any) -> Sequence[int]:
    """Ids of a vocabulary by token (BPE, WordPiece) or as a list of pairs (Unigram)."""
    return list(vocab.values()) if isinstance(vocab, dict) else range(len(vocab))
