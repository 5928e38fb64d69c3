"""One request to an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A fixed amount of work: prompt tokens in, exactly ``output_tokens`` out."""

    request_id: str
    prompt_token_ids: tuple[int, ...]
    """The prompt in the engine's own tokens; its length is the input length."""
    output_tokens: int
    """Tokens to generate."""
    ignore_eos: bool = True
    """Go on past the end-of-sequence token, so that the work is the same every time."""
    kind: Literal["generate"] = "generate"
    """What is asked for; further kinds will join."""
    arrival_s: float | None = None
    """Arrival after the start of the traffic, in seconds; ``None`` is at once."""


class Tokenizer(Protocol):
    """What a workload needs to know of a model's tokenizer."""

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids; ids run from 0."""
        ...

    @property
    def special_token_ids(self) -> frozenset[int]:
        """Ids that prompts must not contain, such as the end of sequence."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of *text*, without special tokens."""
        ...
