"""A model that TensorRT-LLM has loaded."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import psutil

from pytest_llem.engines.engine import Generation
from pytest_llem.engines.processes import forgetting
from pytest_llem.engines.tensorrt_llm.batch import make_batch
from pytest_llem.engines.tensorrt_llm.description import describe
from pytest_llem.engines.tensorrt_llm.faults import explained
from pytest_llem.engines.tensorrt_llm.outcome import result_of
from pytest_llem.engines.tensorrt_llm.serving import Offline, Streaming
from pytest_llem.engines.tensorrt_llm.watched import Watched
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
    from pytest_llem.engines.output import EngineOutput
    from pytest_llem.engines.processes import EngineProcesses
    from pytest_llem.engines.tensorrt_llm.batch import Batch
    from pytest_llem.engines.tensorrt_llm.loaded import Loaded
    from pytest_llem.workloads.request import Request

LESS_WORK = (
    "Lower batch_size, input_tokens, output_tokens, tensorrt_llm.max_batch_size or "
    "tensorrt_llm.max_num_tokens."
)
SHUTDOWN_S, CLOSING_S = 20.0, 10.0
WORKER = "mpi4py"
"""In the command line of every process that mpi4py's pool starts."""


class TensorrtLlmSession:
    """Generates with one model; requests of a batch come and go as the scheduler has it."""

    def __init__(
        self,
        loaded: Loaded,
        processes: EngineProcesses,
        output: EngineOutput | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        shutdown_s: float = SHUTDOWN_S,
    ) -> None:
        """*shutdown_s* is how long the engine may take to end before it is ended by force."""
        self._loaded: Loaded | None = loaded
        self._tokenizer = loaded.tokenizer
        self._processes = processes
        self._output = output
        self._clock = clock
        self._shutdown_s = shutdown_s
        kind = Streaming if loaded.config.tensorrt_llm.streaming else Offline
        self._serving = kind(loaded.llm, loaded.generate_arguments)
        self._limits = loaded.limits()
        self._workers = [one for one in processes.look() if _is_worker(one)]
        self._batch: Batch | None = None
        self._description: dict[str, Any] | None = None

    @property
    def tokenizer(self) -> HuggingFaceTokenizer:
        return self._tokenizer

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Serve *requests*, all at once or, when streaming, each at its arrival.

        The first and the last token of a request have the engine's own stamps; those between
        them, which only streaming has, are stamped as they come back.

        Raises:
            OutOfMemoryError: the batch does not fit.
            EngineError: a request that cannot be served, a worker that died, or another fault
                of the library.
        """
        start_ns = self._clock()
        loaded = self._open()
        if not requests:
            return Generation(start_ns, self._clock(), ())
        batch = self._prepare(loaded, tuple(requests))
        with self._explained(f"serve {len(requests)} requests", LESS_WORK):
            outcomes = self._serving.serve(batch, self._clock, self._look)
        end_ns = self._clock()
        results = tuple(
            result_of(request, outcome, start_ns, end_ns)
            for request, outcome in zip(batch.requests, outcomes, strict=True)
        )
        return Generation(start_ns, end_ns, results, (), "continuous")

    def synchronize(self) -> None:
        """Wait for this process's own work on the GPU.

        Workers cannot be asked: ``LLM`` forwards calls to them only where Ray drives them. All
        tokens of a batch have come back when :meth:`generate` returns.
        """
        self._open()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def describe(self) -> dict[str, Any]:
        """What really took effect, as JSON values.

        Raises:
            EngineError: the session is closed.
        """
        loaded = self._open()
        if self._description is None:
            self._description = describe(
                loaded, streaming=self._serving.stream, processes=len(self._processes.look())
            )
        return self._description

    def close(self) -> None:
        """End the engine with all its processes; closing twice is fine.

        An engine that does not end by itself is ended by force.
        """
        loaded, self._loaded, self._batch = self._loaded, None, None
        if loaded is None:
            return
        self._processes.look()
        self._serving.close()
        ended = False
        try:
            with self._explained("shut the engine down", ""):
                ended = Watched(loaded.llm.shutdown).ended_within(self._shutdown_s)
        finally:
            if not ended:
                # Its destructor and its exit hook would wait for the same again.
                loaded.llm.shutdown = _nothing
            with forgetting():
                del loaded
                del self._serving
            self._processes.end(CLOSING_S if ended else 0.0)
            if self._output is not None:
                self._output.close()
        if not ended:
            sys.stderr.write(
                f"llem: TensorRT-LLM did not shut down within {self._shutdown_s:g} s; its processes "
                "were ended by force.\n"
            )

    def _open(self) -> Loaded:
        if self._loaded is None:
            raise EngineError("this session is closed. Load the model again.")
        return self._loaded

    def _prepare(self, loaded: Loaded, requests: tuple[Request, ...]) -> Batch:
        """*requests* as ``LLM`` takes them; the last batch is kept, since a workload is repeated."""
        if self._batch is None or self._batch.requests != requests:
            self._batch = make_batch(
                loaded.installed.package, requests, self._limits, loaded.sampling
            )
        return self._batch

    def _look(self) -> None:
        """Raise if a worker is dead: nobody would ever answer what it was asked."""
        dead = [worker.pid for worker in self._workers if not _lives(worker)]
        if dead:
            told = self._output.cause() if self._output is not None else None
            raise EngineError(
                f"{len(dead)} of {len(self._workers)} workers of TensorRT-LLM died while it served "
                f"(process {dead[0]}{f': {told}' if told else ''}). What it printed last is in this "
                "experiment's output."
            )

    def _explained(self, doing: str, try_instead: str) -> Any:
        cause = (lambda: None) if self._output is None else self._output.cause
        return explained(doing=doing, try_instead=try_instead, cause=cause)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return WORKER in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _nothing() -> None:
    """Stands for a shutdown that never returned."""
