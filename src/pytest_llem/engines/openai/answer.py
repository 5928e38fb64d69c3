"""One streamed answer: what its pieces say, and whether they agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.served import ServedRequest

if TYPE_CHECKING:
    from pytest_llem.engines.engine import FinishReason
    from pytest_llem.engines.served import CountedBy
    from pytest_llem.workloads.request import Request

SHOWN = 200
DONE = b"[DONE]"


class AnswerError(Exception):
    """An answer that cannot be used; *kind* is counted, the message shown."""

    def __init__(self, kind: str, said: str, retry_after_s: float | None = None) -> None:
        super().__init__(said)
        self.kind = kind
        self.retry_after_s = retry_after_s


class Answer:
    """What was read of an answer so far."""

    def __init__(self) -> None:
        self.chunk_ns: list[int] = []
        self.token_ids: list[int] | None = None
        self.reason: str | None = None
        self.usage: dict[str, Any] = {}
        self.done = False

    def add(self, data: bytes, at_ns: int) -> None:
        """Take the content of an event into account that was read at an instant.

        Raises:
            AnswerError: it is no piece of an answer, or the server says that it failed.
        """
        if data == DONE:
            self.done = True
            return
        piece = _parsed(data)
        if isinstance(usage := piece.get("usage"), dict):
            self.usage = usage
        choices = piece.get("choices")
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise AnswerError("malformed", f"a piece without a list of choices: {_shown(data)}")
        for choice in choices:
            self._add_choice(choice, at_ns)

    def _add_choice(self, choice: dict[str, Any], at_ns: int) -> None:
        if choice.get("finish_reason"):
            self.reason = str(choice["finish_reason"])
        ids = choice.get("token_ids")
        if isinstance(ids, list):
            self.token_ids = [*(self.token_ids or ()), *ids]
        if ids or _text_of(choice):
            self.chunk_ns.append(at_ns)

    def served(self, request: Request, due_ns: int, sent_ns: int, end_ns: int) -> ServedRequest:
        """The request as served.

        Raises:
            AnswerError: the answer ended before its end, or contradicts itself.
        """
        if self.reason is None:
            raise AnswerError("truncated", "the answer ended without a reason to finish")
        tokens, counted_by = self._counted(request)
        return ServedRequest(
            request_id=request.request_id,
            due_ns=due_ns,
            sent_ns=sent_ns,
            end_ns=end_ns,
            chunk_ns=tuple(self.chunk_ns),
            input_tokens=_count(self.usage.get("prompt_tokens")),
            output_tokens=tokens,
            counted_by=counted_by,
            finish_reason=_reason(self.reason),
        )

    def _counted(self, request: Request) -> tuple[int | None, CountedBy | None]:
        used = _count(self.usage.get("completion_tokens"))
        ids = None if self.token_ids is None else len(self.token_ids)
        if used is not None:
            least = ids if ids is not None else len(self.chunk_ns)
            if used < least or (ids is not None and used != ids):
                what = f"{ids} token ids" if ids is not None else f"{least} pieces with text"
                raise AnswerError("contradiction", f"usage says {used} tokens, but {what} came")
            return used, "usage"
        if ids is not None:
            return ids, "ids"
        if self.reason == "length":
            return request.output_tokens, "length"
        return None, None


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        piece = json.loads(data)
    except ValueError:
        raise AnswerError("malformed", f"a piece that is no JSON: {_shown(data)}") from None
    if not isinstance(piece, dict):
        raise AnswerError("malformed", f"a piece that is no object: {_shown(data)}")
    if error := piece.get("error"):
        raise AnswerError("server_error", message_of(error))
    return piece


def message_of(error: object) -> str:
    """What an error object of the protocol says, in one line."""
    said = error.get("message", error) if isinstance(error, dict) else error
    return " ".join(str(said).split())[:SHOWN]


def _text_of(choice: dict[str, Any]) -> bool:
    """Whether a choice carries text, also that of a chat's turn or of reasoning before it."""
    delta = choice.get("delta")
    if isinstance(delta, dict):
        return any(delta.get(name) for name in ("content", "reasoning_content", "reasoning"))
    return bool(choice.get("text"))


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _reason(reason: str) -> FinishReason:
    if reason == "length":
        return "length"
    return "stop" if reason in {"stop", "eos_token", "stop_sequence"} else "abort"


def _shown(data: bytes) -> str:
    return repr(data[:SHOWN].decode("utf-8", "replace"))
