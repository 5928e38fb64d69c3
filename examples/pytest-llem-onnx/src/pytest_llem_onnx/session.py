"""A loaded model: one padded batch at a time, greedily."""

from __future__ import annotations

import gc
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llem.engines.engine import Generation, RequestResult
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.workloads.request import Request
    from pytest_llem_onnx.tokenizer import OnnxTokenizer

PACKAGES = ("onnxruntime", "onnxruntime-genai", "numpy")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory."""

    library: Any
    model: Any
    tokenizer: OnnxTokenizer
    pad_id: int
    """Fills rows behind shorter prompts; the library masks it wherever it stands."""
    positions: int
    """Most tokens of a sequence, input and output."""
    threads: int
    name: str
    described: dict[str, Any]
    """Where the model comes from and what was made of it."""


class OnnxSession:
    """Generates with one model; every call is one batch that starts and ends together."""

    def __init__(self, loaded: Loaded, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._loaded: Loaded | None = loaded
        self._clock = clock
        self._batch: tuple[tuple[Request, ...], Any] | None = None
        self._tokenizer = loaded.tokenizer

    @property
    def tokenizer(self) -> OnnxTokenizer:
        return self._tokenizer

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Serve *requests* as one batch, padded on the right to the longest prompt.

        Every row takes as many steps as the longest output; what a row computes beyond its own
        length is waited for but not counted. No end of sequence ends a row: the library is told
        that the padding token is the end and must not come before the last step, so decoding
        is plain and greedy but for that token, which no model is trained to write.

        Raises:
            EngineError: a request that heeds its end of sequence, one that has the padding token
                in its prompt, more positions than the model has, or a fault of the library.
        """
        start_ns = self._clock()
        loaded = self._open()
        if not requests:
            return Generation(start_ns, self._clock(), ())
        prompts = self._prompts(loaded, tuple(requests))
        width, steps = prompts.shape[1], max(request.output_tokens for request in requests)
        try:
            rows, step_ns = self._run(loaded, prompts, steps)
        except RuntimeError as error:  # the library's only exception
            raise EngineError(
                f"ONNX Runtime GenAI failed to generate {steps} tokens for {len(requests)} prompts of "
                f"{width}: {error}"
            ) from error
        results = tuple(
            _result(request, row, step_ns) for request, row in zip(requests, rows, strict=True)
        )
        return Generation(start_ns, self._clock(), results, tuple(step_ns), "static")

    def synchronize(self) -> None:
        """Nothing to wait for: on a CPU a call returns when its work is done."""
        self._open()

    def describe(self) -> dict[str, Any]:
        """What really took effect, as JSON values."""
        loaded = self._open()
        return {
            "engine": "onnx",
            "versions": {"python": platform.python_version(), **_versions()},
            "device": "cpu",
            "device_type": "cpu",
            "device_uuids": [],
            "threads": loaded.threads,
            "positions": loaded.positions,
            "vocabulary_size": loaded.tokenizer.vocabulary_size,
            "architecture": loaded.model.type,
            "generation": {"batching": "static", "decoding": "greedy"},
            **loaded.described,
        }

    def close(self) -> None:
        """Free the model; closing twice is fine."""
        self._loaded = self._batch = None
        gc.collect()

    def _open(self) -> Loaded:
        if self._loaded is None:
            raise EngineError("this session is closed. Load the model again.")
        return self._loaded

    def _prompts(self, loaded: Loaded, requests: tuple[Request, ...]) -> Any:
        """Prompts of shape (batch, width); the last batch is kept, since a workload is repeated."""
        if self._batch is None or self._batch[0] != requests:
            self._batch = (requests, _padded(loaded, requests))
        return self._batch[1]

    def _run(self, loaded: Loaded, prompts: Any, steps: int) -> tuple[list[list[int]], list[int]]:
        batch, width = prompts.shape
        parameters = loaded.library.GeneratorParams(loaded.model)
        parameters.set_search_options(
            batch_size=batch, min_length=width + steps, max_length=width + steps, do_sample=False
        )
        generator = loaded.library.Generator(loaded.model, parameters)
        generator.append_tokens(prompts)
        step_ns = []
        for _ in range(steps):
            generator.generate_next_token()
            step_ns.append(self._clock())
        rows = [generator.get_sequence(row)[width:].tolist() for row in range(batch)]
        return rows, step_ns


def _padded(loaded: Loaded, requests: Sequence[Request]) -> Any:
    """On the right: the model's attention takes the first tokens of a row for its prompt."""
    width = max(len(request.prompt_token_ids) for request in requests)
    steps = max(request.output_tokens for request in requests)
    if width + steps > loaded.positions:
        raise EngineError(
            f"{width} input and {steps} output tokens need more than the {loaded.positions} positions "
            f"of {loaded.name!r}. Lower input_tokens or output_tokens."
        )
    prompts: Any = np.full((len(requests), width), loaded.pad_id, dtype=np.int32)
    for row, request in enumerate(requests):
        _check(loaded, request)
        prompts[row, : len(request.prompt_token_ids)] = request.prompt_token_ids
    return prompts


def _check(loaded: Loaded, request: Request) -> None:
    prompt = request.prompt_token_ids
    if not prompt or request.output_tokens < 1:
        raise EngineError(f"{request.request_id} needs a prompt and at least one output token.")
    if not request.ignore_eos:
        raise EngineError(
            f"{request.request_id} heeds its end of sequence, which the onnx engine does not do. "
            "Let it ignore that."
        )
    if loaded.pad_id in prompt:
        raise EngineError(
            f"{request.request_id} has the padding token {loaded.pad_id} in its prompt."
        )


def _result(request: Request, row: Sequence[int], step_ns: Sequence[int]) -> RequestResult:
    count = request.output_tokens
    return RequestResult(
        request_id=request.request_id,
        input_tokens=len(request.prompt_token_ids),
        output_tokens=len(row[:count]),
        first_token_ns=step_ns[0],
        finish_ns=step_ns[count - 1],
        finish_reason="length",
        token_ids=tuple(row[:count]),
    )


def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in PACKAGES}
