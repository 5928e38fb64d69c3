"""Batches on their way into ``LLM`` and back: all at once, or each request at its arrival."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.streaming import OwnLoop, due, each
from pytest_llem.engines.tensorrt_llm.outcome import Outcome
from pytest_llem.engines.tensorrt_llm.stamps import stamps_of
from pytest_llem.engines.tensorrt_llm.watched import LOOK_EVERY_S, Watched
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.engines.tensorrt_llm.batch import Batch
    from pytest_llem.workloads.request import Request

    Clock = Callable[[], int]
    Look = Callable[[], None]


class Offline:
    """``LLM.generate``: a batch goes in at once, and comes back when all of it is done."""

    stream = False

    def __init__(self, llm: Any, more: dict[str, Any]) -> None:
        """*more* are further arguments of ``generate``."""
        self._llm, self._more = llm, more

    def serve(self, batch: Batch, clock: Clock, look: Look) -> Sequence[Outcome]:
        """All outcomes, in the order of the requests; *look* raises if the engine is dead.

        Raises:
            EngineError: a request has an arrival time of its own.
        """
        if any(request.arrival_s is not None for request in batch.requests):
            raise EngineError(
                "requests with arrival times cannot be served offline, where all of a batch starts "
                "at once. Set tensorrt_llm.streaming=true."
            )
        start_ns = clock()
        results = Watched(
            lambda: self._llm.generate(
                batch.prompts, sampling_params=batch.parameters, use_tqdm=False, **self._more
            )
        ).wait(look)
        return [_outcome(result, start_ns) for result in results]

    def close(self) -> None:
        """Nothing of its own."""


class Streaming:
    """``LLM.generate_async``, in an event loop that runs while a batch is served."""

    stream = True

    def __init__(self, llm: Any, more: dict[str, Any]) -> None:
        """*more* are further arguments of ``generate_async``."""
        self._llm, self._more = llm, more
        self._loop = OwnLoop("tensorrt_llm.streaming")

    def serve(self, batch: Batch, clock: Clock, look: Look) -> Sequence[Outcome]:
        """All outcomes, in the order of the requests; one that fails ends the others."""
        return self._loop.run(self._serve(batch, clock, look))

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()

    async def _serve(self, batch: Batch, clock: Clock, look: Look) -> Sequence[Outcome]:
        start_ns = clock()
        jobs = each(partial(self._one, start_ns, clock), batch)
        watch = asyncio.ensure_future(_watch(look))
        served = asyncio.ensure_future(_all(jobs))
        try:
            await asyncio.wait([served, watch], return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
            return await served
        finally:
            for task in (served, watch, *jobs):
                task.cancel()
            await asyncio.gather(served, watch, *jobs, return_exceptions=True)

    async def _one(
        self, start_ns: int, clock: Clock, request: Request, prompt: Any, parameters: Any
    ) -> Outcome:
        due_ns = await due(request, start_ns, clock)
        sent_ns = clock()
        result = self._llm.generate_async(
            prompt, sampling_params=parameters, streaming=True, **self._more
        )
        token_ns: list[int] = []
        async for step in result:
            count = len(step.outputs[0].token_ids)
            token_ns.extend([clock()] * (count - len(token_ns)))
        return _outcome(result, sent_ns, due_ns, tuple(token_ns))


def _outcome(
    result: Any, sent_ns: int, due_ns: int | None = None, token_ns: tuple[int, ...] = ()
) -> Outcome:
    output = result.outputs[0]
    return Outcome(
        token_ids=tuple(output.token_ids),
        finish_reason=output.finish_reason,
        stamps=stamps_of(result, output, sent_ns),
        arrival_ns=due_ns,
        token_ns=token_ns,
    )


async def _all(jobs: Sequence[asyncio.Future[Outcome]]) -> list[Outcome]:
    return await asyncio.gather(*jobs)


async def _watch(look: Look) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        look()
