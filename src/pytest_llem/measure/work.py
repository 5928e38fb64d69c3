"""How much work one pass does, and the pass of an engine."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_llem.energy.marks import Pass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


def engine_load(session: Session, requests: Sequence[Request]) -> Load:
    """Passes that serve *requests* as one batch."""

    def load() -> Pass:
        return pass_of(session.generate(requests))

    return load


def callable_load(function: Callable[[], object], work: Work) -> Load:
    """Passes that call *function* and take its declared work on trust."""

    def load() -> Pass:
        start_ns = time.monotonic_ns()
        function()
        return work.passed(start_ns, time.monotonic_ns())

    return load


def pass_of(generation: Generation) -> Pass:
    """One batch as a pass, with the mean latencies of its requests."""
    firsts = _first_tokens_ns(generation)
    return Pass(
        start_ns=generation.start_ns,
        end_ns=generation.end_ns,
        requests=len(generation.requests),
        input_tokens=generation.input_tokens,
        output_tokens=generation.output_tokens,
        ttft_s=_mean([_ttft_s(generation, request) for request in generation.requests]),
        itl_s=_mean([_itl_s(request) for request in generation.requests]),
        finish_reasons=dict(Counter(request.finish_reason for request in generation.requests)),
        first_token_ns=min(firsts, default=None),
        prefill_end_ns=max(firsts, default=None),
        batching=generation.batching,
    )


def _first_tokens_ns(generation: Generation) -> list[int]:
    """When each request had its first token; empty unless that is known of all."""
    known = [request.first_token_ns for request in generation.requests]
    return [] if None in known else [one for one in known if one is not None]


def _ttft_s(generation: Generation, request: RequestResult) -> float | None:
    if request.first_token_ns is None:
        return None
    return (request.first_token_ns - generation.start_ns) / 1e9


def _itl_s(request: RequestResult) -> float | None:
    if request.first_token_ns is None or request.output_tokens < 2:  # noqa: PLR2004 - a gap needs two
        return None
    return (request.finish_ns - request.first_token_ns) / 1e9 / (request.output_tokens - 1)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
