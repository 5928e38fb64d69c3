"""Traffic as a load: a pass is so many requests that ended, while others go on coming."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.latency import binned
from pytest_llem.energy.marks import Pass, RequestMark, Served
from pytest_llem.errors import ConfigError, EngineError
from pytest_llem.measure.work import Loads
from pytest_llem.measure.workload import described
from pytest_llem.workloads.batch import build_requests
from pytest_llem.workloads.traffic import traffic_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.measurement import MeasurementConfig
    from pytest_llem.config.traffic import TrafficConfig
    from pytest_llem.engines.served import ServedRequest, Stream, Streams
    from pytest_llem.workloads.request import Request, Tokenizer

AWAY_NS = 20_000_000
"""After so long without a pass, requests that ended meanwhile belong to none."""
HOPELESS_REQUESTS, HOPELESS_S, GONE_S = 10, 5.0, 1.0
"""So many failures and nothing else for so long, and the server is given up; sooner if there is
not even a connection."""
FEW, PATIENCE_S = 3, 60.0
"""So few failures will do after that time."""


@dataclass(frozen=True, slots=True)
class TrafficWork:
    """The traffic of an experiment, and the session that serves it."""

    session: Streams
    config: ExperimentConfig
    first: Sequence[Request]
    """As many requests as a pass has; the others are like them."""

    @classmethod
    def of(cls, config: ExperimentConfig, session: Streams) -> TrafficWork:
        """What *config* asks of the server that *session* speaks with.

        Raises:
            ConfigError: the workload cannot be had as configured, or is not for servers.
        """
        if config.workload.turns > 1:
            raise ConfigError(
                f"workload.turns={config.workload.turns}: requests to a server come one by one, "
                "and none waits for the answer to another. Leave turns out, or measure the engine "
                "itself."
            )
        return cls(session, config, build_requests(config, tokenizer_of(session)))

    def described(self) -> dict[str, Any]:
        """What the first requests ask, as JSON values; the hash has their arrival times in it."""
        taken = islice(traffic_requests(self.config, tokenizer_of(self.session)), len(self.first))
        return described(self.config.workload.source, [list(taken)])

    def loads(self, _settings: MeasurementConfig) -> Loads:
        """All that one measurement repeats: a server's phases are not told apart."""
        load = TrafficLoad(self.session, self.config)
        asked, workload = {one.output_tokens for one in self.first}, self.config.workload
        alike = workload.lengths == "fixed" and not workload.output_lengths and len(asked) == 1
        fixed = asked.pop() if alike else None
        return Loads(load, output_length=fixed, end=load.close, traffic=True)


def tokenizer_of(session: Streams) -> Tokenizer:
    """That of a session which serves requests one by one; it is an engine's session as well."""
    both: Any = session
    tokenizer: Tokenizer = both.tokenizer
    return tokenizer


class TrafficLoad:
    """Passes of an experiment's traffic, which begins with the first of them.

    Whole requests are counted, in the pass in which they end: a pass is a fixed amount of
    work, and what is under way at its edges is, in a steady state, as much at either.
    """

    def __init__(
        self,
        session: Streams,
        config: ExperimentConfig,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._session, self._config, self._clock = session, config, clock
        self._stream: Stream | None = None
        self._edge_ns = self._good_ns = 0
        self._failed: list[ServedRequest] = []

    def __call__(self) -> Pass:
        """Wait until as many requests as a batch has have ended.

        Raises:
            EngineError: the server serves nothing any more.
        """
        __tracebackhide__ = True
        stream = self._stream or self._begin()
        if self._clock() - self._edge_ns > AWAY_NS:
            stream.discard()
            self._edge_ns = self._clock()
        start_ns = self._edge_ns
        ended = stream.take(self._config.batch_size)
        self._edge_ns = self._clock()
        self._require_hope(ended)
        return _pass_of(ended, start_ns, self._edge_ns, stream.in_flight)

    def close(self) -> None:
        """Give up what is under way."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _begin(self) -> Stream:
        config = self._config
        requests = traffic_requests(config, tokenizer_of(self._session))
        self._stream = self._session.stream(requests, resolved(config).concurrency)
        self._edge_ns = self._good_ns = self._clock()
        return self._stream

    def _require_hope(self, ended: Sequence[ServedRequest]) -> None:
        __tracebackhide__ = True
        for one in ended:
            self._failed.append(one)
            if one.failure is None:
                self._good_ns, self._failed = self._edge_ns, []
        lasting_s, count = (self._edge_ns - self._good_ns) / 1e9, len(self._failed)
        gone = all(one.failure == "unreachable" for one in self._failed)
        if count < FEW or lasting_s < (GONE_S if gone else HOPELESS_S):
            return
        if count >= HOPELESS_REQUESTS or lasting_s >= PATIENCE_S:
            kinds = Counter(one.failure for one in self._failed).most_common()
            said = ", ".join(f"{number} × {kind}" for kind, number in kinds)
            raise EngineError(
                f"the server at {self._config.openai.base_url} served none of the last {count} requests, "
                f"for {lasting_s:.0f} s: {said}. The last one: {self._failed[-1].said}. Look into "
                "the server's log."
            )


def resolved(config: ExperimentConfig) -> TrafficConfig:
    """The traffic of an experiment, with the number of clients that a closed loop has."""
    traffic = config.traffic
    if traffic.rate_per_s is not None:
        return traffic
    return traffic.model_copy(update={"concurrency": traffic.concurrency or config.batch_size})


def _pass_of(ended: Sequence[ServedRequest], start_ns: int, end_ns: int, in_flight: int) -> Pass:
    good = [one for one in ended if one.failure is None]
    first = [one.chunk_ns[0] for one in good if one.chunk_ns]
    gaps = binned(
        (later - earlier) / 1e9 for one in good for earlier, later in pairwise(one.chunk_ns)
    )
    reasons = Counter(one.failure or one.finish_reason or "abort" for one in ended)
    return Pass(
        start_ns=start_ns,
        end_ns=end_ns,
        requests=len(good),
        input_tokens=_total([one.input_tokens for one in good]),
        output_tokens=_total([one.output_tokens for one in good]),
        ttft_s=_mean([_ttft_s(one) for one in good]),
        itl_s=_mean([_itl_s(one) for one in good]),
        finish_reasons=dict(sorted(reasons.items())),
        first_token_ns=min(first, default=None),
        prefill_end_ns=max(first, default=None),
        batching="continuous",
        latencies={"itl": gaps} if gaps else {},
        served=Served(
            requests=tuple(map(_mark_of, ended)),
            in_flight=in_flight,
        ),
    )


def _mark_of(one: ServedRequest) -> RequestMark:
    return RequestMark(
        due_ns=one.due_ns,
        sent_ns=one.sent_ns,
        end_ns=one.end_ns,
        first_token_ns=one.chunk_ns[0] if one.chunk_ns else None,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        failure=one.failure,
        counted_by=one.counted_by,
    )


def _ttft_s(one: ServedRequest) -> float | None:
    return (one.chunk_ns[0] - one.due_ns) / 1e9 if one.chunk_ns else None


def _itl_s(one: ServedRequest) -> float | None:
    if not one.chunk_ns or one.output_tokens is None or one.output_tokens <= 1:
        return None
    return (one.end_ns - one.chunk_ns[0]) / 1e9 / (one.output_tokens - 1)


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
