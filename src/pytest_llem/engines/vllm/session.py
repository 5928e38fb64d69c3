"""A model that vLLM has loaded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llem.engines.engine import Generation
from pytest_llem.engines.processes import forgetting
from pytest_llem.engines.vllm.batch import make_batch
from pytest_llem.engines.vllm.description import describe
from pytest_llem.engines.vllm.faults import explained
from pytest_llem.engines.vllm.outcome import result_of
from pytest_llem.engines.vllm.stamps import StepStamps
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
    from pytest_llem.engines.model_source import ResolvedModel
    from pytest_llem.engines.output import EngineOutput
    from pytest_llem.engines.processes import EngineProcesses
    from pytest_llem.engines.vllm.batch import Batch
    from pytest_llem.engines.vllm.outcome import Outcome
    from pytest_llem.workloads.request import Request

LESS_WORK = "Lower batch_size, input_tokens, output_tokens or vllm.max_num_seqs."
CLOSING_S = 10.0


class Serving(Protocol):
    """An engine: offline, or streaming."""

    stream: bool
    config: Any
    """vLLM's ``VllmConfig``."""
    processor: Any
    """Its output processor; ``None`` if it has none."""

    @property
    def tokenizer(self) -> Any: ...

    def serve(self, batch: Batch, clock: Callable[[], int]) -> Sequence[Outcome]:
        """All outcomes, in the order of the requests."""
        ...

    def ask_workers(self, method: str) -> list[Any]: ...

    def close(self) -> None: ...


class VllmSession:
    """Generates with one model; requests of a batch come and go as the scheduler has it."""

    def __init__(  # noqa: PLR0913 - what was loaded, by name
        self,
        *,
        vllm: Any,
        serving: Serving,
        config: ExperimentConfig,
        source: ResolvedModel,
        tokenizer: HuggingFaceTokenizer,
        processes: EngineProcesses,
        output: EngineOutput | None,
        environment: Mapping[str, str],
        sampling: Mapping[str, Any],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._vllm = vllm
        self._serving: Serving | None = serving
        self._config = config
        self._source = source
        self._tokenizer = tokenizer
        self._processes = processes
        self._output = output
        self._environment = environment
        self._sampling = sampling
        self._clock = clock
        self._stamps = StepStamps(serving.processor)
        self._batch: Batch | None = None
        self._description: dict[str, Any] | None = None

    @property
    def tokenizer(self) -> HuggingFaceTokenizer:
        return self._tokenizer

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Serve *requests*, all at once or, when streaming, each at its arrival.

        Stamps of tokens are the engine's own. Nothing is detokenized unless that is asked for.

        Raises:
            OutOfMemoryError: the batch does not fit.
            EngineError: a request that cannot be served, an engine that died, or another
                fault of the library.
        """
        start_ns = self._clock()
        serving = self._open()
        if not requests:
            return Generation(start_ns, self._clock(), ())
        batch = self._prepare(serving, tuple(requests))
        self._stamps.begin()
        with self._explained(f"serve {len(requests)} requests", LESS_WORK):
            outcomes = serving.serve(batch, self._clock)
        end_ns = self._clock()
        token_ns = self._stamps.token_ns()
        results = tuple(
            result_of(request, outcome, token_ns.get(outcome.name, ()), end_ns)
            for request, outcome in zip(batch.requests, outcomes, strict=True)
        )
        return Generation(start_ns, end_ns, results, self._stamps.step_ns(), "continuous")

    def synchronize(self) -> None:
        """Wait until the device of every worker has finished."""
        serving = self._open()
        with self._explained("wait for the devices", LESS_WORK):
            serving.ask_workers("llem_synchronize")

    def describe(self) -> dict[str, Any]:
        """What really took effect, as JSON values.

        Raises:
            EngineError: the session is closed.
        """
        serving = self._open()
        if self._description is None:
            self._description = describe(
                self._config,
                self._source,
                serving.config,
                self._workers(serving),
                self._vllm,
                streaming=serving.stream,
                processes=len(self._processes.look()),
                environment=self._environment,
                sampling=self._sampling,
            )
        return self._description

    def close(self) -> None:
        """End the engine with all its processes; closing twice is fine."""
        serving, self._serving, self._batch = self._serving, None, None
        if serving is None:
            return
        self._processes.look()
        try:
            with self._explained("shut the engine down", ""):
                serving.close()
        finally:
            with forgetting():
                del serving
                self._stamps = StepStamps(None)
            _free_device()
            self._processes.end(CLOSING_S)
            if self._output is not None:
                self._output.close()

    def _open(self) -> Serving:
        if self._serving is None:
            raise EngineError("this session is closed. Load the model again.")
        return self._serving

    def _prepare(self, serving: Serving, requests: tuple[Request, ...]) -> Batch:
        """*requests* as vLLM takes them; the last batch is kept, since a workload is repeated."""
        if self._batch is None or self._batch.requests != requests:
            model = serving.config.model_config
            self._batch = make_batch(
                self._vllm,
                requests,
                limit=model.max_model_len,
                vocabulary=model.get_vocab_size(),
                stream=serving.stream,
                sampling=self._sampling,
            )
        return self._batch

    def _workers(self, serving: Serving) -> list[Any]:
        extension = serving.config.parallel_config.worker_extension_cls
        if not str(extension).startswith("pytest_llem."):
            return []  # one of the user's own took its place
        with self._explained("ask the engine's workers", LESS_WORK):
            return serving.ask_workers("llem_describe")

    def _explained(self, doing: str, try_instead: str) -> Any:
        import torch

        cause = (lambda: None) if self._output is None else self._output.cause
        return explained(torch, doing=doing, try_instead=try_instead, cause=cause)


def _free_device() -> None:
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
