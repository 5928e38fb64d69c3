"""What a loaded model does: fixed work, with times, and an end."""

from __future__ import annotations

import asyncio
import os
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.errors import ConfigError, EngineError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[..., Any]
    Requests = Callable[..., Any]
    Workers = Callable[[], list[int]]
    SetFault = Callable[..., None]

BACKENDS = ["pytorch", "tensorrt"]
WAYS = [
    pytest.param(backend, streaming, id=f"{backend}-{'streaming' if streaming else 'offline'}")
    for backend in BACKENDS
    for streaming in (False, True)
]


@pytest.mark.parametrize(("backend", "streaming"), WAYS)
def test_every_request_gets_exactly_its_tokens(
    load: Load, requests: Requests, backend: str, streaming: bool
) -> None:
    with load(backend=backend, streaming=streaming) as session:
        first = session.generate(requests())
        again = session.generate(requests())
    assert [one.output_tokens for one in first.requests] == [8, 8, 8]
    assert first.input_tokens == 60
    assert {one.finish_reason for one in first.requests} == {"length"}
    assert [one.token_ids for one in first.requests] == [one.token_ids for one in again.requests]
    assert first.batching == "continuous"


@pytest.mark.parametrize(("backend", "streaming"), WAYS)
def test_stamps_are_the_engines_own_and_in_order(
    load: Load, requests: Requests, backend: str, streaming: bool
) -> None:
    with load(backend=backend, streaming=streaming) as session:
        generation = session.generate(requests())
    for one in generation.requests:
        order = [
            generation.start_ns - 1000,  # the engine's are whole microseconds
            one.queued_ns,
            one.scheduled_ns,
            one.first_token_ns,
            one.finish_ns,
            generation.end_ns,
        ]
        assert order == sorted(order)


def test_streaming_stamps_each_token_as_it_comes_back(load: Load, requests: Requests) -> None:
    with load(streaming=True) as session:
        generation = session.generate(requests())
    for one in generation.requests:
        assert len(one.token_ns) == one.output_tokens
        assert all(earlier <= later for earlier, later in pairwise(one.token_ns))
        assert one.first_token_ns <= one.token_ns[0]
    with load() as session:
        assert session.generate(requests()).requests[0].token_ns == ()


@pytest.mark.parametrize("streaming", [False, True])
def test_durations_count_from_when_a_request_was_sent(
    load: Load, requests: Requests, fault: SetFault, streaming: bool
) -> None:
    fault("durations-only")
    with load(streaming=streaming) as session:
        generation = session.generate(requests())
    for one in generation.requests:
        assert generation.start_ns < one.first_token_ns < one.finish_ns <= generation.end_ns + 2e6
        assert one.queued_ns is None


def test_stamps_of_another_clock_are_unknown(
    load: Load, requests: Requests, fault: SetFault
) -> None:
    fault("other-clock")
    with load() as session:
        generation = session.generate(requests())
    for one in generation.requests:
        assert one.first_token_ns is one.queued_ns is one.scheduled_ns is None
        assert one.finish_ns == generation.end_ns


def test_without_metrics_the_times_of_an_offline_batch_are_unknown(
    load: Load, requests: Requests, fault: SetFault
) -> None:
    fault("no-metrics")
    with load() as session:
        generation = session.generate(requests())
    assert {one.first_token_ns for one in generation.requests} == {None}
    with load(streaming=True) as session:
        generation = session.generate(requests())
    for one in generation.requests:
        assert (one.first_token_ns, one.finish_ns) == (one.token_ns[0], one.token_ns[-1])


def test_requests_are_sent_when_they_are_due(load: Load, requests: Requests) -> None:
    early, late = requests(1, arrival_s=0.0)[0], requests(1, arrival_s=0.15)[0]
    with load(streaming=True) as session:
        generation = session.generate([early, late])
    first, second = generation.requests
    assert second.arrival_ns - first.arrival_ns == 150_000_000
    assert second.queued_ns >= second.arrival_ns - 1000
    with load() as session, pytest.raises(EngineError, match=r"tensorrt_llm\.streaming=true"):
        session.generate([early, late])


def test_the_end_of_a_sequence_is_heeded_only_where_it_shall_be(
    load: Load, requests: Requests
) -> None:
    with load() as session:
        end = session._limits.end_ids[0]
        # The stand-in counts 31 × (sum + length) on by 7; this prompt reaches the end of sequence.
        prompt = next(
            (first, 9)
            for first in range(5, session.tokenizer.vocabulary_size)
            if ((first + 9 + 2) * 31 + 3 * 7) % session.tokenizer.vocabulary_size == end
        )
        heeded = session.generate(requests(1, prompt_token_ids=prompt, ignore_eos=False))
        ignored = session.generate(requests(1, prompt_token_ids=prompt))
    assert (heeded.requests[0].finish_reason, heeded.requests[0].output_tokens) == ("stop", 4)
    assert (ignored.requests[0].finish_reason, ignored.requests[0].output_tokens) == ("length", 8)


def test_decoding_is_greedy_of_a_fixed_length_and_without_text(
    load: Load, requests: Requests
) -> None:
    with load() as session:
        session.generate(requests(1))
        (made,) = session._batch.parameters
    assert (made.max_tokens, made.ignore_eos, made.end_id) == (8, True, -1)
    assert (made.top_k, made.use_beam_search, made.detokenize) == (1, False, False)
    assert made.return_perf_metrics


def test_options_of_requests_reach_tensorrt_llm_and_are_read_back(
    load: Load, requests: Requests
) -> None:
    asked = {
        "temperature": 0.7,
        "repetition_penalty": 1.2,
        "bad_token_ids": [7, 8],
        "lookahead_config": {"max_window_size": 6},
        "detokenize": True,
    }
    with load(**asked) as session:
        session.generate(requests(1))
        (made,) = session._batch.parameters
        described = session.describe()
    assert (made.temperature, made.repetition_penalty, made.top_k) == (0.7, 1.2, None)
    assert (made.bad_token_ids, made.lookahead_config.max_window_size) == ([7, 8], 6)
    assert (made.seed, made.detokenize, made.max_tokens, made.end_id) == (0, True, 8, -1)
    assert described["generation"]["decoding"] == "sampled"
    assert asked.items() <= described["effective"].items()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lookahead_config": {"windows": 2}}, "lookahead_config: TensorRT-LLM refuses it"),
        ({"extra": {"temperature": 0.5}}, r"set tensorrt_llm\.temperature instead"),
    ],
)
def test_options_of_requests_that_cannot_be_are_told_before_a_model_is_loaded(
    load: Load, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said), load(**options):
        pass


def test_a_request_that_ends_early_is_no_measurement(
    load: Load, requests: Requests, fault: SetFault
) -> None:
    fault("too-short")
    with load() as session, pytest.raises(EngineError, match="after 7 of 8 tokens"):
        session.generate(requests())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt_token_ids": ()}, "must be at least 1"),
        ({"output_tokens": 0}, "must be at least 1"),
        ({"output_tokens": 100}, r"raise tensorrt_llm\.max_seq_len"),
        ({"prompt_token_ids": (5, 10**6)}, "outside the vocabulary"),
        ({"prompt_token_ids": (5,) * 40}, r"Raise tensorrt_llm\.max_num_tokens"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_request_that_cannot_be_served_is_refused_before_it_is_sent(
    load: Load, requests: Requests, backend: str, fields: dict[str, Any], said: str
) -> None:
    limits = {"max_seq_len": 64, "max_num_tokens": 32}
    with load(backend=backend, **limits) as session, pytest.raises(EngineError, match=said):
        session.generate(requests(1, **fields))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_worker_that_dies_while_it_serves_ends_the_batch(
    load: Load, requests: Requests, fault: SetFault, workers: Workers, streaming: bool
) -> None:
    fault("worker-dies")
    said = r"1 of 1 workers .* died .*illegal memory access"
    with load(streaming=streaming) as session, pytest.raises(EngineError, match=said):
        session.generate(requests())
    assert workers() == []


@pytest.mark.parametrize("streaming", [False, True])
def test_memory_that_runs_out_while_serving_says_what_helps(
    load: Load, requests: Requests, fault: SetFault, streaming: bool
) -> None:
    fault("oom-serve")
    with (
        load(streaming=streaming) as session,
        pytest.raises(OutOfMemoryError, match=r"could not serve 3 requests .*Lower batch_size"),
    ):
        session.generate(requests())


def test_a_model_that_streams_is_refused_inside_an_event_loop(
    load: Load, requests: Requests
) -> None:
    async def inside(session: Any) -> None:
        session.generate(requests())

    with load(streaming=True) as session, pytest.raises(EngineError, match="plain function"):
        asyncio.run(inside(session))


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_ends_all_processes(load: Load, workers: Workers, backend: str) -> None:
    with load(backend=backend, tensor_parallel_size=2) as session:
        assert len(workers()) == session.describe()["processes"] == 2
    assert workers() == []
    session.close()
    with pytest.raises(EngineError, match="closed"):
        session.generate([])
    with pytest.raises(EngineError, match="closed"):
        session.describe()


def test_a_shutdown_that_hangs_is_ended_by_force(
    load: Load,
    requests: Requests,
    fault: SetFault,
    workers: Workers,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with load() as session:
        session.generate(requests())
        session._shutdown_s = 0.2
        fault("shutdown-hangs")
        session.close()
    assert workers() == []
    assert (
        "did not shut down within 0.2 s; its processes were ended by force"
        in capfd.readouterr().err
    )


def test_an_engine_whose_worker_was_killed_can_be_closed(load: Load, workers: Workers) -> None:
    with load():
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
    assert workers() == []


def test_nothing_to_do_takes_no_engine(load: Load) -> None:
    with load() as session:
        assert session.generate([]).requests == ()
        session.synchronize()
