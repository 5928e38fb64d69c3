"""A batch as vLLM takes it, checked before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.workloads.request import Request


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests with their prompts and sampling parameters."""

    requests: tuple[Request, ...]
    prompts: Sequence[Mapping[str, Any]]
    parameters: Sequence[Any]
    """``SamplingParams``: greedy unless asked otherwise, of a fixed length, ids only."""


def make_batch(  # noqa: PLR0913 - the limits of an engine, by name
    vllm: Any,
    requests: tuple[Request, ...],
    *,
    limit: int,
    vocabulary: int,
    stream: bool,
    sampling: Mapping[str, Any],
) -> Batch:
    """*requests* ready to be sent.

    Args:
        vllm: the imported package.
        requests: what is asked for.
        limit: most tokens of a sequence, input and output.
        vocabulary: token ids that the model accepts, from 0.
        stream: whether every token is handed over as it comes, or all at the end.
        sampling: further fields of ``SamplingParams``; empty is greedy.

    Raises:
        EngineError: an empty prompt or answer, a token outside the vocabulary, or more
            positions than the engine was given, which vLLM would answer with fewer tokens.
    """
    for request in requests:
        _check(request, limit, vocabulary)
    prompts = [{"prompt_token_ids": list(request.prompt_token_ids)} for request in requests]
    kinds = vllm.sampling_params.RequestOutputKind
    kind = kinds.DELTA if stream else kinds.FINAL_ONLY
    parameters = [
        parameters_of(
            vllm,
            {
                **sampling,
                "max_tokens": request.output_tokens,
                "ignore_eos": request.ignore_eos,
                "output_kind": kind,
            },
        )
        for request in requests
    ]
    return Batch(requests, prompts, parameters)


def parameters_of(vllm: Any, asked: Mapping[str, Any]) -> Any:
    """``SamplingParams`` with what is *asked*; else greedy, and of ids only."""
    return vllm.SamplingParams(**{"temperature": 0.0, "detokenize": False, **asked})


def _check(request: Request, limit: int, vocabulary: int) -> None:
    given, wanted = len(request.prompt_token_ids), request.output_tokens
    if not given or wanted < 1:
        raise EngineError(
            f"{request.request_id} has {given} prompt tokens and asks for {wanted}: both must be "
            "at least 1."
        )
    if given + wanted > limit:
        raise EngineError(
            f"{request.request_id} has {given} input and {wanted} output tokens, and this engine "
            f"holds {limit} of a sequence. Lower input_tokens or output_tokens, or raise "
            "vllm.max_model_len if the model bears it."
        )
    low, high = min(request.prompt_token_ids), max(request.prompt_token_ids)
    if low < 0 or high >= vocabulary:
        raise EngineError(
            f"token id {low if low < 0 else high} of {request.request_id} is outside the vocabulary "
            f"of the model, which has {vocabulary} tokens from 0."
        )
