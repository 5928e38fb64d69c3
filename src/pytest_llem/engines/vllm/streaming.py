"""vLLM's ``AsyncLLM``: requests arrive when they are due, tokens come back one by one."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.streaming import OwnLoop, due, each
from pytest_llem.engines.vllm.outcome import Outcome
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.engines.vllm.batch import Batch
    from pytest_llem.workloads.request import Request


class Streaming:
    """An engine behind ``AsyncLLM``, whose core is always a process of its own."""

    stream = True

    def __init__(self, vllm: Any, arguments: dict[str, Any]) -> None:
        from vllm.v1.engine.async_llm import AsyncLLM

        self._loop = OwnLoop("vllm.streaming")
        self._numbers = itertools.count()
        try:
            self._engine = AsyncLLM.from_engine_args(vllm.AsyncEngineArgs(**arguments))
        except BaseException:
            self._loop.close()
            raise
        self.config = self._engine.vllm_config
        self.processor = getattr(self._engine, "output_processor", None)

    @property
    def tokenizer(self) -> Any:
        return self._engine.get_tokenizer()

    def serve(self, batch: Batch, clock: Callable[[], int]) -> Sequence[Outcome]:
        """All outcomes, in the order of the requests; one that fails ends the others."""
        return self._loop.run(self._serve(batch, clock))

    def ask_workers(self, method: str) -> list[Any]:
        """What *method* of :class:`WorkerExtension` answers in each worker."""
        return list(self._loop.run(self._engine.collective_rpc(method)))

    def close(self) -> None:
        """End the core and its workers, and the event loop."""
        if self._loop.closed:
            return
        try:
            self._engine.shutdown()
        finally:
            self._loop.run(_settle())
            self._loop.close()

    async def _serve(self, batch: Batch, clock: Callable[[], int]) -> Sequence[Outcome]:
        start_ns = clock()
        jobs = each(partial(self._one, start_ns, clock), batch)
        try:
            return await asyncio.gather(*jobs)
        except BaseException:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            raise

    async def _one(
        self,
        start_ns: int,
        clock: Callable[[], int],
        request: Request,
        prompt: Any,
        parameters: Any,
    ) -> Outcome:
        due_ns = await due(request, start_ns, clock)
        name = f"llem-{next(self._numbers)}"
        token_ids: list[int] = []
        last = None
        async for last in self._engine.generate(prompt, parameters, name):
            token_ids.extend(last.outputs[0].token_ids)
        if last is None:
            raise EngineError(f"the engine ended {request.request_id} without an answer.")
        return Outcome(name, token_ids, last.outputs[0].finish_reason, last.metrics, due_ns)


async def _settle() -> None:
    """Let what was cancelled end."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
