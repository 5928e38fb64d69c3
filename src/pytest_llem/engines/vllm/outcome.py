"""What became of a request, from what vLLM said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.engine import FinishReason, RequestResult
from pytest_llem.engines.vllm.stamps import known_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.workloads.request import Request

FINISH: dict[str | None, FinishReason] = {"length": "length", "stop": "stop"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request that is over."""

    name: str
    """As it was called towards the engine."""
    token_ids: Sequence[int]
    finish_reason: str | None
    metrics: Any
    """vLLM's ``RequestStateStats``; ``None`` if it kept none."""
    arrival_ns: int | None = None


def result_of(
    request: Request, outcome: Outcome, token_ns: tuple[int, ...], end_ns: int
) -> RequestResult:
    """*outcome* with the engine's stamps; *end_ns* is when it was over at the latest."""
    last_ns = known_ns(outcome.metrics, "last_token_ts")
    count = len(outcome.token_ids)
    return RequestResult(
        request_id=request.request_id,
        input_tokens=len(request.prompt_token_ids),
        output_tokens=count,
        first_token_ns=known_ns(outcome.metrics, "first_token_ts"),
        finish_ns=end_ns if last_ns is None else last_ns,
        finish_reason=FINISH.get(outcome.finish_reason, "abort"),
        token_ids=tuple(outcome.token_ids),
        arrival_ns=outcome.arrival_ns,
        queued_ns=known_ns(outcome.metrics, "queued_ts"),
        scheduled_ns=known_ns(outcome.metrics, "scheduled_ts"),
        token_ns=token_ns if len(token_ns) == count else (),
    )
