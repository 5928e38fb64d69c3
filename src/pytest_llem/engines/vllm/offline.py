"""vLLM's ``LLM``: a batch goes in at once, and comes back when all of it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.engines.vllm.outcome import Outcome
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.engines.vllm.batch import Batch


class Offline:
    """An engine behind ``LLM``, in this process or with a core of its own."""

    stream = False

    def __init__(self, vllm: Any, arguments: dict[str, Any]) -> None:
        self._llm = vllm.LLM(**arguments)
        self._engine = self._llm.llm_engine
        # Statistics are kept for their stamps; nobody reads the log and the counters of each step.
        self._engine.logger_manager = None
        self.config = self._engine.vllm_config
        self.processor = getattr(self._engine, "output_processor", None)

    @property
    def tokenizer(self) -> Any:
        return self._llm.get_tokenizer()

    def serve(self, batch: Batch, clock: Callable[[], int]) -> Sequence[Outcome]:
        """All outcomes, in the order of the requests.

        Raises:
            EngineError: a request has an arrival time of its own.
        """
        del clock
        if any(request.arrival_s is not None for request in batch.requests):
            raise EngineError(
                "requests with arrival times cannot be served offline, where all of a batch starts "
                "at once. Set vllm.streaming=true."
            )
        answers = self._llm.generate(batch.prompts, batch.parameters, use_tqdm=False)
        return [_outcome(answer) for answer in answers]

    def ask_workers(self, method: str) -> list[Any]:
        """What *method* of :class:`WorkerExtension` answers in each worker."""
        return list(self._llm.collective_rpc(method))

    def close(self) -> None:
        """End the core and its workers."""
        core = getattr(self._engine, "engine_core", None)
        if core is not None:
            core.shutdown()


def _outcome(answer: Any) -> Outcome:
    one = answer.outputs[0]
    return Outcome(answer.request_id, one.token_ids, one.finish_reason, answer.metrics)
