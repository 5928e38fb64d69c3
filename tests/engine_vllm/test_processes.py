"""Engines with a core of their own: streaming, dying, and being gone afterwards."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_llem.engines.vllm.engine import VllmEngine
from pytest_llem.errors import EngineError, OutOfMemoryError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.vllm.session import VllmSession


@pytest.fixture(scope="module")
def streaming(load: Callable[..., Any]) -> Iterator[VllmSession]:
    with load(streaming=True) as session:
        yield session


def arriving(*at_s: float | None, output_tokens: int = 12) -> list[Request]:
    return [
        Request(f"r{number}", tuple(range(100, 108)), output_tokens, arrival_s=arrival_s)
        for number, arrival_s in enumerate(at_s)
    ]


def test_streamed_tokens_are_stamped_by_the_engine(streaming: VllmSession) -> None:
    generation = streaming.generate(arriving(None, None, None))
    assert generation.batching == "continuous"
    for one in generation.requests:
        assert one.output_tokens == len(one.token_ns) == len(one.token_ids or ()) == 12
        assert one.queued_ns is not None
        stamps = (generation.start_ns, one.queued_ns, *one.token_ns, generation.end_ns)
        assert list(stamps) == sorted(stamps)
        assert (one.token_ns[0], one.token_ns[-1]) == (one.first_token_ns, one.finish_ns)


def test_requests_are_sent_when_they_are_due(streaming: VllmSession) -> None:
    at_s = (0.0, 0.3, 0.15)
    generation = streaming.generate(arriving(*at_s))
    assert [one.request_id for one in generation.requests] == ["r0", "r1", "r2"]
    for one, due_s in zip(generation.requests, at_s, strict=True):
        assert one.arrival_ns == pytest.approx(generation.start_ns + due_s * 1e9, abs=50e6)
        assert one.queued_ns is not None
        assert one.arrival_ns is not None
        assert one.queued_ns >= one.arrival_ns


def test_the_core_and_its_workers_are_described(
    streaming: VllmSession, engine_processes: Callable[[], list[int]]
) -> None:
    described = streaming.describe()
    assert described["generation"]["interface"] == "AsyncLLM"
    assert described["processes"] == len(engine_processes()) > 0
    assert described["parameters"] == 5_771_264
    streaming.synchronize()


def test_inside_a_running_event_loop_it_is_refused(streaming: VllmSession) -> None:
    async def inside() -> None:
        streaming.generate(arriving(None))

    with pytest.raises(EngineError, match="event loop"):
        asyncio.run(inside())
    assert streaming.generate(arriving(None)).output_tokens == 12


def test_a_core_that_is_killed_is_an_error_and_leaves_nothing(
    streaming: VllmSession, engine_processes: Callable[[], list[int]]
) -> None:
    """The last test with this session."""
    victims = [psutil.Process(pid) for pid in engine_processes()]
    core = next(one for one in victims if one.parent().pid == psutil.Process().pid)  # type: ignore[union-attr]
    timer = threading.Timer(0.3, core.kill)
    timer.start()
    with pytest.raises(EngineError, match="core"):
        streaming.generate(arriving(None, output_tokens=500))
    timer.join()
    streaming.close()
    assert engine_processes() == []


def test_what_kept_the_core_from_starting_is_told(
    config: Callable[..., ExperimentConfig], engine_processes: Callable[[], list[int]]
) -> None:
    too_small = config(streaming=True, extra={"kv_cache_memory_bytes": 4096})
    with pytest.raises(OutOfMemoryError, match="No available memory for the cache blocks"):
        VllmEngine().load(too_small)
    assert engine_processes() == []


def test_offline_with_a_core_of_its_own_leaves_nothing(
    load: Callable[..., Any], engine_processes: Callable[[], list[int]]
) -> None:
    with load(multiprocessing=True) as session:
        generation = session.generate(arriving(None, None))
        assert generation.output_tokens == 24
        assert [len(one.token_ns) for one in generation.requests] == [12, 12]
        assert engine_processes()
    assert engine_processes() == []
