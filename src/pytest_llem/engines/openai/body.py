"""What is asked of a server for one request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.workloads.request import Request, Tokenizer

PATHS = {"completions": "/completions", "chat": "/chat/completions"}
EXACT = {"ignore_eos": True}
"""Has vLLM, SGLang, TensorRT-LLM and llama.cpp go on to the length that was asked for."""
TOLD = {"return_token_ids": True}
"""Has vLLM send token ids with every piece."""


class Vocabulary(Protocol):
    """Tokens of prompts, and what they are as text."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    def text(self, token_ids: tuple[int, ...]) -> str:
        """The text that these tokens stand for."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How requests are put to one server."""

    model: str
    api: str
    ids: bool
    """Whether prompts are token ids rather than text."""
    beyond: Mapping[str, Any] = field(default_factory=dict)
    """Fields beyond the protocol that the server takes."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the experiment asks for; they go before all others."""

    @property
    def path(self) -> str:
        return PATHS[self.api]

    def body(self, request: Request, vocabulary: Vocabulary) -> bytes:
        """The body of *request*, as JSON."""
        beyond = dict(self.beyond)
        if not request.ignore_eos:
            beyond.pop("ignore_eos", None)
        fields = {
            "model": self.model,
            **self._asked(request, vocabulary),
            "max_tokens": request.output_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **beyond,
            **self.extra,
        }
        return json.dumps(fields).encode()

    def _asked(self, request: Request, vocabulary: Vocabulary) -> dict[str, Any]:
        if self.ids:
            return {"prompt": list(request.prompt_token_ids)}
        text = vocabulary.text(request.prompt_token_ids)
        if self.api == "chat":
            return {"messages": [{"role": "user", "content": text}]}
        return {"prompt": text}
