"""How much work one pass does, and the pass of an engine."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from pytest_llem.energy.latency import binned
from pytest_llem.energy.marks import Pass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.energy.latency import Bins, LatencyKind
    from pytest_llem.engines.engine import Generation, RequestResult, Session
    from pytest_llem.workloads.request import Request


@dataclass(frozen=True, slots=True)
class Work:
    """What one call of a measured function does; ``None`` is not declared."""

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    def passed(self, start_ns: int, end_ns: int) -> Pass:
        """A pass that did this work between two instants (``time.monotonic_ns``)."""
        return Pass(
            start_ns=start_ns,
            end_ns=end_ns,
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )


class Load(Protocol):
    """Something that can be repeated: one pass of the workload a call."""

    def __call__(self) -> Pass:
        """Do one pass and say when it ran and what it did."""
        ...


@dataclass(frozen=True, slots=True)
class Loads:
    """All that one measurement repeats."""

    whole: Load
    output_length: int | None = None
    """Output tokens of every request of the whole; ``None`` if they differ."""
    prefill: Load | None = None
    """The same requests with one output token each; ``None`` if that is not wanted."""
    at_lengths: Mapping[int, Load] = field(default_factory=dict)
    """The same requests with other output lengths, by length."""
    end: Callable[[], None] = lambda: None
    """Ends what goes on between passes."""
    traffic: bool = False
    """Whether requests come as traffic rather than as batches."""


def engine_load(session: Session, *batches: Sequence[Request]) -> Load:
    """Passes that serve *batches*, one after another."""

    def load() -> Pass:
        return pass_of(*[session.generate(batch) for batch in batches])

    return load


def callable_load(function: Callable[[], object], work: Work) -> Load:
    """Passes that call *function* and take its declared work on trust."""

    def load() -> Pass:
        start_ns = time.monotonic_ns()
        function()
        return work.passed(start_ns, time.monotonic_ns())

    return load


def pass_of(*generations: Generation) -> Pass:
    """One batch, or several one after another, as a pass with its requests' mean latencies.

    Of several batches it is not said when prefill ended: each has its own.
    """
    first, last = generations[0], generations[-1]
    requests = [(one, request) for one in generations for request in one.requests]
    firsts = _first_tokens_ns(first) if first is last else []
    return Pass(
        start_ns=first.start_ns,
        end_ns=last.end_ns,
        requests=len(requests),
        input_tokens=sum(one.input_tokens for one in generations),
        output_tokens=sum(one.output_tokens for one in generations),
        ttft_s=_mean([_ttft_s(one, request) for one, request in requests]),
        itl_s=_mean([_itl_s(request) for _, request in requests if request.output_tokens > 1]),
        finish_reasons=dict(Counter(request.finish_reason for _, request in requests)),
        first_token_ns=min(firsts, default=None),
        prefill_end_ns=max(firsts, default=None),
        batching=first.batching if len({one.batching for one in generations}) == 1 else None,
        latencies=_latencies(requests),
    )


def _latencies(served: Sequence[tuple[Generation, RequestResult]]) -> dict[LatencyKind, Bins]:
    """Each kind that is known of every request."""
    requests = [request for _, request in served]
    found: dict[LatencyKind, Bins] = {}
    by_request: dict[LatencyKind, list[float | None]] = {
        "queue": [_queue_s(request) for request in requests],
        "ttft": [_ttft_s(generation, request) for generation, request in served],
    }
    for kind, values in by_request.items():
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            found[kind] = binned(known)
    if requests and all(request.token_ns for request in requests):
        found["itl"] = binned(
            (later - earlier) / 1e9
            for request in requests
            for earlier, later in pairwise(request.token_ns)
        )
    return found


def _queue_s(request: RequestResult) -> float | None:
    if request.queued_ns is None or request.scheduled_ns is None:
        return None
    return (request.scheduled_ns - request.queued_ns) / 1e9


def _first_tokens_ns(generation: Generation) -> list[int]:
    """When each request had its first token; empty unless that is known of all."""
    known = [request.first_token_ns for request in generation.requests]
    return [] if None in known else [one for one in known if one is not None]


def _ttft_s(generation: Generation, request: RequestResult) -> float | None:
    if request.first_token_ns is None:
        return None
    start_ns = generation.start_ns if request.arrival_ns is None else request.arrival_ns
    return (request.first_token_ns - start_ns) / 1e9


def _itl_s(request: RequestResult) -> float | None:
    if request.first_token_ns is None or request.output_tokens < 2:  # noqa: PLR2004 - a gap needs two
        return None
    return (request.finish_ns - request.first_token_ns) / 1e9 / (request.output_tokens - 1)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
