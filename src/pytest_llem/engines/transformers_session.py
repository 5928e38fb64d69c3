"""A model that transformers has loaded: one padded batch at a time."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.engine import FinishReason, Generation, RequestResult
from pytest_llem.engines.padding import pad_left
from pytest_llem.engines.step_clock import RequestEnds, StepClock
from pytest_llem.engines.torch_faults import explained
from pytest_llem.engines.transformers_description import describe
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
    from pytest_llem.engines.transformers_load import Loaded
    from pytest_llem.workloads.request import Request

LESS_WORK = "Lower batch_size, input_tokens or output_tokens, or try a smaller dtype."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch as tensors of shape (batch, width) on the CPU."""

    requests: tuple[Request, ...]
    token_ids: Any
    attention_mask: Any
    width: int
    steps: int


class TransformersSession:
    """Generates with one model; every call is one batch that starts and ends together."""

    def __init__(self, loaded: Loaded, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._loaded: Loaded | None = loaded
        self._clock = clock
        self._prepared: Prepared | None = None
        self._tokenizer = loaded.tokenizer

    @property
    def tokenizer(self) -> HuggingFaceTokenizer:
        return self._tokenizer

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Serve *requests* as one batch, padded on the left to the longest prompt.

        The batch takes as many steps as its longest output. A request with a
        shorter one, or one that heeds its end of sequence and meets it, ends
        with its own last token: what its row computes beyond that is waited for
        but not counted. An end of sequence is counted as a token. The token ids
        of requests that ignore it are those of plain greedy decoding, unless the
        experiment asks for another: nothing is masked.

        Raises:
            OutOfMemoryError: the batch does not fit.
            EngineError: an empty prompt, a token outside the vocabulary, more
                positions than the model has, beams for requests that heed an end of
                sequence, or a fault of the library.
        """
        start_ns = self._clock()
        loaded = self._open()
        if not requests:
            return Generation(start_ns, self._clock(), ())
        batch = self._prepare(loaded, tuple(requests))
        clock = StepClock(self._clock, loaded.synchronize, _never(loaded), batch.width)
        generated = _run(loaded, batch, clock)
        if any(len(row) != clock.produced[-1] for row in generated):
            raise EngineError(
                f"the model {loaded.config.model!r} made {len(generated[0])} tokens, but "
                f"{clock.produced[-1]} in its {len(clock.step_ns)} steps; it cannot be measured so."
            )
        results = tuple(
            _result(request, row, clock, loaded.end_ids)
            for request, row in zip(batch.requests, generated, strict=True)
        )
        return Generation(start_ns, self._clock(), results, tuple(clock.step_ns), "static")

    def synchronize(self) -> None:
        """Wait for every CUDA device of the model; nothing to do on a CPU."""
        self._open().synchronize()

    def describe(self) -> dict[str, Any]:
        """What really took effect, as JSON values.

        Raises:
            EngineError: the session is closed.
        """
        return describe(self._open())

    def close(self) -> None:
        """Free the model; closing twice is fine."""
        if self._loaded is None:
            return
        torch, self._loaded, self._prepared = self._loaded.torch, None, None
        gc.collect()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _open(self) -> Loaded:
        if self._loaded is None:
            raise EngineError("this session is closed. Load the model again.")
        return self._loaded

    def _prepare(self, loaded: Loaded, requests: tuple[Request, ...]) -> Prepared:
        """*requests* as tensors; the last batch is kept, since a workload is repeated."""
        if self._prepared is None or self._prepared.requests != requests:
            self._prepared = _prepared(loaded, requests)
        return self._prepared


def _prepared(loaded: Loaded, requests: tuple[Request, ...]) -> Prepared:
    for request in requests:
        if not request.prompt_token_ids or request.output_tokens < 1:
            raise EngineError(
                f"{request.request_id} has {len(request.prompt_token_ids)} prompt tokens and asks for "
                f"{request.output_tokens}: both must be at least 1."
            )
    padded = pad_left(requests, loaded.pad_id)
    limit = loaded.positions
    if limit is not None and padded.width + padded.steps > limit:
        raise EngineError(
            f"{padded.width} input and {padded.steps} output tokens need more than the {limit} "
            f"positions of {loaded.config.model!r}. Lower input_tokens or output_tokens, or raise "
            "the limit with transformers.extra={'max_position_embeddings': …} if the model bears it."
        )
    token_ids = loaded.torch.tensor(padded.token_ids)
    low, high = int(token_ids.min()), int(token_ids.max())
    if low < 0 or high >= loaded.embeddings:
        raise EngineError(
            f"token id {low if low < 0 else high} is outside the vocabulary of "
            f"{loaded.config.model!r}, which has {loaded.embeddings} tokens from 0."
        )
    mask = loaded.torch.tensor(padded.attention_mask)
    return Prepared(requests, token_ids, mask, padded.width, padded.steps)


def _run(loaded: Loaded, batch: Prepared, clock: StepClock) -> list[list[int]]:
    """Generated token ids, one row a request, all of the same length."""
    criteria = loaded.transformers.StoppingCriteriaList([clock])
    if not all(request.ignore_eos for request in batch.requests):
        criteria.insert(0, _ends(loaded, batch))
    doing = f"generate {batch.steps} tokens for {len(batch.requests)} prompts of {batch.width}"
    with (
        explained(loaded.torch, doing=doing, try_instead=LESS_WORK),
        loaded.torch.inference_mode(),
    ):
        outcome = loaded.model.generate(
            batch.token_ids.to(loaded.device),
            attention_mask=batch.attention_mask.to(loaded.device),
            generation_config=loaded.generation_config(batch.steps),
            stopping_criteria=criteria,
            **(loaded.assistant.arguments if loaded.assistant else {}),
        )
        sequences = getattr(outcome, "sequences", outcome)
        generated: list[list[int]] = sequences[:, batch.width :].tolist()
    return generated


def _never(loaded: Loaded) -> Callable[[int], Any]:
    torch = loaded.torch
    return lambda rows: torch.zeros(rows, dtype=torch.bool, device=loaded.device)


def _ends(loaded: Loaded, batch: Prepared) -> RequestEnds:
    beams = loaded.config.transformers.given().get("num_beams", 1)
    if beams > 1:
        raise EngineError(
            f"transformers.num_beams={beams}, but requests heed an end of sequence: beams that end at "
            "different lengths are no fixed amount of work. Ignore it, or leave num_beams unset."
        )
    return RequestEnds(
        loaded.torch,
        [batch.width + request.output_tokens for request in batch.requests],
        [not request.ignore_eos for request in batch.requests],
        loaded.end_ids,
        loaded.device,
    )


def _result(
    request: Request, row: Sequence[int], clock: StepClock, end_ids: Sequence[int]
) -> RequestResult:
    own = tuple(row[: request.output_tokens])
    reason: FinishReason = "length"
    if not request.ignore_eos:
        end = next((at for at, token in enumerate(own) if token in end_ids), None)
        if end is not None:
            own, reason = own[: end + 1], "stop"
    return RequestResult(
        request_id=request.request_id,
        input_tokens=len(request.prompt_token_ids),
        output_tokens=len(own),
        first_token_ns=clock.step_ns[0],
        finish_ns=clock.end_ns(len(own)),
        finish_reason=reason,
        token_ids=own,
        token_ns=clock.token_ns(len(own)),
    )
