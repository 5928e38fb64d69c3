"""A server that answers, seen as an engine's session."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.engine import Generation, RequestResult
from pytest_llem.engines.openai.description import describe
from pytest_llem.engines.openai.stream import HttpStream
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.openai.client import Client
    from pytest_llem.engines.openai.loop import EventLoop
    from pytest_llem.engines.openai.probe import Probed
    from pytest_llem.engines.openai.process import ServerProcess
    from pytest_llem.engines.served import ServedRequest
    from pytest_llem.workloads.request import Request, Tokenizer


class OpenaiSession:
    """Sends requests to one server."""

    def __init__(
        self,
        config: ExperimentConfig,
        loop: EventLoop,
        client: Client,
        probed: Probed,
        process: ServerProcess | None,
    ) -> None:
        self._config, self._loop, self._client = config, loop, client
        self._probed, self._process = probed, process
        self._streams: list[HttpStream] = []
        self._closed = False

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokens, or words in their place."""
        return self._probed.vocabulary.tokenizer

    def generate(self, requests: Sequence[Request]) -> Generation:
        """Send *requests* at once, or each at its arrival, and wait for all answers.

        Raises:
            EngineError: one of them failed.
        """
        self._require_open()
        start_ns = self._client.clock()
        served = self._loop.run(self._all(requests, start_ns))
        if failed := [one for one in served if one.failure]:
            raise EngineError(
                f"{len(failed)} of {len(served)} requests to {self._client.base_url} failed: "
                f"{failures_of(served)}."
            )
        results = tuple(
            _result(request, one) for request, one in zip(requests, served, strict=True)
        )
        return Generation(start_ns, self._client.clock(), results, (), "continuous")

    def stream(self, requests: Iterator[Request], concurrency: int | None) -> HttpStream:
        """Begin to send *requests*, by so many clients or by arrival times."""
        self._require_open()
        probed = self._probed
        stream = HttpStream(self._loop, self._client, probed.dialect, probed.vocabulary)
        self._streams.append(stream)
        stream.start(requests, concurrency)
        return stream

    def synchronize(self) -> None:
        """Nothing to do: an answer that has ended has been computed."""

    def describe(self) -> dict[str, Any]:
        """What is known of the server, as JSON values."""
        return describe(self._config, self._client.base_url, self._probed, self._process)

    def close(self) -> None:
        """Give up what is under way, and end the server if it was started here."""
        if self._closed:
            return
        self._closed = True
        try:
            for stream in self._streams:
                stream.close()
            self._loop.run(self._client.close())
            self._loop.close()
        finally:
            if self._process is not None:
                self._process.stop()

    def _require_open(self) -> None:
        if self._closed:
            raise EngineError("the session is closed: nothing can be asked of the server.")

    async def _all(self, requests: Sequence[Request], start_ns: int) -> list[ServedRequest]:
        return await asyncio.gather(*(self._one(request, start_ns) for request in requests))

    async def _one(self, request: Request, start_ns: int) -> ServedRequest:
        dialect, client = self._probed.dialect, self._client
        message = client.message(dialect.path, dialect.body(request, self._probed.vocabulary))
        due_ns = start_ns + round((request.arrival_s or 0.0) * 1e9)
        served, _ = await client.serve(message, request, due_ns)
        return served


def failures_of(served: Sequence[ServedRequest]) -> str:
    """Failures by kind with how many of each, and what the first of a kind said."""
    counts = Counter(one.failure for one in served if one.failure)
    said = {one.failure: one.said for one in reversed(served) if one.failure}
    return "; ".join(f"{count} × {kind} ({said[kind]})" for kind, count in counts.most_common())


def _result(request: Request, served: ServedRequest) -> RequestResult:
    if served.output_tokens is None:
        raise EngineError(
            "the server does not say how many tokens it generated: it sends no usage although "
            "stream_options.include_usage asks for it. Use a server or a version that does."
        )
    known = served.input_tokens
    return RequestResult(
        request_id=served.request_id,
        input_tokens=len(request.prompt_token_ids) if known is None else known,
        output_tokens=served.output_tokens,
        first_token_ns=served.chunk_ns[0] if served.chunk_ns else None,
        finish_ns=served.end_ns,
        finish_reason=served.finish_reason or "abort",
        arrival_ns=served.due_ns,
    )
