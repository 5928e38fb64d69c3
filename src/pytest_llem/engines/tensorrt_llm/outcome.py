"""What became of a request, from what TensorRT-LLM said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.engines.engine import FinishReason, RequestResult
from pytest_llem.engines.tensorrt_llm.stamps import Stamps
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from pytest_llem.workloads.request import Request

FINISH: dict[str | None, FinishReason] = {"length": "length", "stop": "stop"}
"""Others are ``timeout`` and ``cancelled``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request that is over."""

    token_ids: tuple[int, ...]
    finish_reason: str | None
    stamps: Stamps
    arrival_ns: int | None = None
    """When it was due; ``None`` is with the batch."""
    token_ns: tuple[int, ...] = ()
    """When each token came back to this process; empty if all came at the end."""


def result_of(request: Request, outcome: Outcome, start_ns: int, end_ns: int) -> RequestResult:
    """*outcome* with the engine's stamps, as far as they lie within its batch.

    Raises:
        EngineError: a request of fixed length ended with another one.
    """
    stamps = outcome.stamps if outcome.stamps.within(start_ns, end_ns) else Stamps()
    count = len(outcome.token_ids)
    _check_length(request, outcome, count)
    token_ns = outcome.token_ns if len(outcome.token_ns) == count else ()
    last = stamps.last_token_ns or (token_ns[-1] if token_ns else end_ns)
    return RequestResult(
        request_id=request.request_id,
        input_tokens=len(request.prompt_token_ids),
        output_tokens=count,
        first_token_ns=stamps.first_token_ns or (token_ns[0] if token_ns else None),
        finish_ns=last,
        finish_reason=FINISH.get(outcome.finish_reason, "abort"),
        token_ids=outcome.token_ids,
        arrival_ns=outcome.arrival_ns,
        queued_ns=stamps.arrival_ns if stamps.clock == "engine" else None,
        scheduled_ns=stamps.scheduled_ns,
        token_ns=token_ns,
    )


def _check_length(request: Request, outcome: Outcome, count: int) -> None:
    if request.ignore_eos and count != request.output_tokens:
        raise EngineError(
            f"{request.request_id} ended after {count} of {request.output_tokens} tokens "
            f"({outcome.finish_reason}), so that its energy is that of other work. Is "
            "tensorrt_llm.max_seq_len, or kv_cache_max_tokens, too small for it?"
        )
