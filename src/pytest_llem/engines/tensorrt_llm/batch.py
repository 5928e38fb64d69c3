"""A batch as TensorRT-LLM takes it, checked before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.tensorrt_llm.sampling import parameters_of
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.workloads.request import Request

NO_END = -1
"""An id that no token has; by it TensorRT-LLM itself ignores the end of a sequence."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine takes; ``None`` is unknown, or no limit."""

    tokens: int | None
    """Of a sequence, input and output."""
    prompt: int | None
    """Of a prompt, where it must fit into one step."""
    vocabulary: int
    """Token ids that the model accepts, from 0."""
    end_ids: tuple[int, ...]
    """Ids that end a sequence of which the end is heeded."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests with their prompts and sampling parameters."""

    requests: tuple[Request, ...]
    prompts: list[dict[str, Any]]
    parameters: list[Any]
    """``SamplingParams``."""


def make_batch(
    package: Any, requests: Sequence[Request], limits: Limits, sampling: Mapping[str, Any]
) -> Batch:
    """*requests* ready to be sent; *sampling* is what was asked for beside greedy decoding.

    Raises:
        EngineError: an empty prompt or answer, a token outside the vocabulary, or more
            positions than the engine was given.
    """
    for request in requests:
        _check(request, limits)
    prompts = [{"prompt_token_ids": list(request.prompt_token_ids)} for request in requests]
    parameters = [_parameters(package, request, limits.end_ids, sampling) for request in requests]
    return Batch(tuple(requests), prompts, parameters)


def _parameters(
    package: Any, request: Request, end_ids: tuple[int, ...], sampling: Mapping[str, Any]
) -> Any:
    """Greedy unless asked otherwise; an explicit ``end_id`` keeps the model's own stop tokens out.

    Without one, ``LLM`` looks stop tokens up in the model's generation settings.
    """
    ends: dict[str, Any] = {"end_id": NO_END, "pad_id": 0}
    if not request.ignore_eos and end_ids:
        ends = {"end_id": end_ids[0], "pad_id": end_ids[0]}
        if others := list(end_ids[1:]):
            ends["stop_token_ids"] = others
    fixed = {
        "max_tokens": request.output_tokens,
        "ignore_eos": request.ignore_eos,
        "return_perf_metrics": True,
    }
    return parameters_of(package, {**sampling, **fixed, **ends})


def _check(request: Request, limits: Limits) -> None:
    given, wanted = len(request.prompt_token_ids), request.output_tokens
    if not given or wanted < 1:
        raise EngineError(
            f"{request.request_id} has {given} prompt tokens and asks for {wanted}: both must be "
            "at least 1."
        )
    if limits.tokens is not None and given + wanted > limits.tokens:
        raise EngineError(
            f"{request.request_id} has {given} input and {wanted} output tokens, and this engine "
            f"holds {limits.tokens} of a sequence. Lower input_tokens or output_tokens, or raise "
            "tensorrt_llm.max_seq_len if the model bears it."
        )
    if limits.prompt is not None and given > limits.prompt:
        raise EngineError(
            f"{request.request_id} has {given} input tokens, and a step of this engine takes "
            f"{limits.prompt}. Raise tensorrt_llm.max_num_tokens (and max_input_len of a compiled "
            "engine), set tensorrt_llm.enable_chunked_prefill=true, or lower input_tokens."
        )
    low, high = min(request.prompt_token_ids), max(request.prompt_token_ids)
    if low < 0 or high >= limits.vocabulary:
        raise EngineError(
            f"token id {low if low < 0 else high} of {request.request_id} is outside the vocabulary "
            f"of the model, which has {limits.vocabulary} tokens from 0."
        )
