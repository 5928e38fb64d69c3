"""Requests that leave at their instants, and what becomes of those who make and send them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from instruments.server_double import server_double
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.openai.engine import OpenaiEngine
from pytest_llem.engines.openai.loop import EventLoop
from pytest_llem.engines.openai.pool import Pool
from pytest_llem.engines.openai.prepared import AHEAD, Prepared
from pytest_llem.errors import EngineError
from pytest_llem.workloads.arrivals import arrival_times_s
from pytest_llem.workloads.traffic import traffic_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.engines.openai.session import OpenaiSession


def config(url: str, **fields: Any) -> ExperimentConfig:
    openai = {"base_url": url, **fields.pop("openai", {})}
    asked = {"backend": "openai", "openai": openai, "input_tokens": 8, "output_tokens": 4}
    return ExperimentConfig.model_validate({**asked, "measurement": {"idle_s": 0}, **fields})


@contextmanager
def session(asked: ExperimentConfig) -> Iterator[OpenaiSession]:
    opened = OpenaiEngine().load(asked)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def event_loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    try:
        yield loop
    finally:
        loop.close()


def senders() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [one for one in children if any("sender.py" in word for word in one.cmdline())]


def test_requests_of_an_open_loop_are_due_as_planned_and_never_sent_before() -> None:
    with server_double() as url:
        asked = config(url, traffic={"rate_per_s": 100}, seed=3)
        with session(asked) as opened:
            stream = opened.stream(traffic_requests(asked, opened.tokenizer), None)
            served = stream.take(40)
            assert len(senders()) == 1
        assert not senders()
    assert not [one.said for one in served if one.failure]
    times_s = dict(enumerate(islice(arrival_times_s(100, 1.0, 3), 200)))
    numbers = {int(one.request_id.rpartition("-")[2]): one for one in served}
    starts = {one.due_ns - round(times_s[number] * 1e9) for number, one in numbers.items()}
    assert len(starts) == 1
    assert all(one.due_ns <= one.sent_ns <= one.chunk_ns[0] <= one.end_ns for one in served)


def test_bodies_larger_than_a_sockets_buffer_arrive_whole() -> None:
    with server_double() as url:
        asked = config(url, traffic={"rate_per_s": 50}, openai={"extra": {"user": "x" * 3_000_000}})
        with session(asked) as opened:
            served = opened.stream(traffic_requests(asked, opened.tokenizer), None).take(4)
    assert [one.said for one in served if one.failure] == []
    assert {one.input_tokens for one in served} == {8}


def test_a_sender_that_is_killed_ends_the_traffic_with_a_reason() -> None:
    with server_double() as url:
        asked = config(url, traffic={"rate_per_s": 50})
        with session(asked) as opened:
            stream = opened.stream(traffic_requests(asked, opened.tokenizer), None)
            stream.take(3)
            (sender,) = senders()
            os.kill(sender.pid, signal.SIGKILL)
            with pytest.raises(EngineError, match="the process that sends requests has ended"):
                stream.take(1000)


def test_a_server_that_ends_every_connection_is_asked_on_others() -> None:
    with server_double(faults=["closing"]) as url:
        for traffic in ({"rate_per_s": 60}, {"concurrency": 3}):
            asked = config(url, traffic=traffic)
            with session(asked) as opened:
                requests = traffic_requests(asked, opened.tokenizer)
                served = opened.stream(requests, asked.traffic.concurrency).take(12)
            assert [one.said for one in served if one.failure] == []


def test_requests_fail_when_they_are_due_where_nobody_listens() -> None:
    with server_double() as url:
        asked = config(url, traffic={"rate_per_s": 50})
        with session(asked) as opened:
            stream = opened.stream(traffic_requests(asked, opened.tokenizer), None)
            stream.take(3)
            (server,) = [
                one
                for one in psutil.Process().children()
                if "server_double.py" in str(one.cmdline())
            ]
            server.kill()
            served = stream.take(60)  # those that had their connection before end otherwise
    assert {one.failure for one in served[-5:]} == {"unreachable"}
    assert all(one.end_ns >= one.sent_ns >= one.due_ns for one in served)


def test_who_waits_for_a_connection_is_cancelled_whenever_that_is() -> None:
    """Also in the step in which the connection is there and nobody was told so yet."""

    async def ended(url: str, steps: int) -> bool:
        pool = Pool(url, 5.0, time.monotonic_ns)
        waiting = asyncio.ensure_future(pool.take())
        for _ in range(steps):
            await asyncio.sleep(0)
        late = waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        pool.close()
        await asyncio.sleep(0)  # for the connection to be over
        assert late or waiting.cancelled(), steps
        return late

    with socket.create_server(("127.0.0.1", 0)) as listening, event_loop() as loop:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        steps = next(number for number in count() if loop.run(ended(url, number)))
    assert steps > 3


def test_traffic_ends_amid_connections_that_are_being_made() -> None:
    """Each answer that is refused costs its connection, so that there is always a next one."""
    with server_double(faults=["ok", "whole"]) as url:
        asked = config(url, traffic={"concurrency": 16})
        for _ in range(30):
            with session(asked) as opened:
                opened.stream(traffic_requests(asked, opened.tokenizer), 16).take(17)


def test_the_last_requests_are_served_before_their_end_is_told() -> None:
    with server_double() as url:
        asked = config(url, traffic={"concurrency": 2})
        with session(asked) as opened:
            few = islice(traffic_requests(asked, opened.tokenizer), 5)
            stream = opened.stream(few, 2)
            assert len(stream.take(5)) == 5
            with pytest.raises(EngineError, match="no more requests"):
                stream.take(1)


def test_a_batch_is_sent_at_once_and_one_failure_fails_it() -> None:
    with server_double(faults=["ok", "ok", "ok", "http_500"]) as url:
        asked = config(url, batch_size=3)
        with session(asked) as opened:
            batch = list(islice(traffic_requests(asked, opened.tokenizer), 3))
            assert opened.generate(batch).output_tokens == 12
            with pytest.raises(EngineError, match="CUDA out of memory"):
                opened.generate(batch)


def test_a_key_that_no_header_can_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a\nHost: elsewhere")
    with pytest.raises(Exception, match="OPENAI_API_KEY has characters that no key has"):
        OpenaiEngine().load(config("http://127.0.0.1:9/v1"))


def test_what_is_no_server_of_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, event_loop() as loop:

        async def answer() -> None:
            reader, writer = await asyncio.open_connection(sock=listening.accept()[0])
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        answering = asyncio.run_coroutine_threadsafe(answer(), loop.loop)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with pytest.raises(EngineError, match="is no HTTP"):
            OpenaiEngine().load(config(url))
        answering.result(10)


def test_things_are_made_ahead_in_order_and_only_so_many() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in count():
            made.append(number)
            yield number

    with event_loop() as loop:
        prepared = Prepared(make(), loop.loop)
        prepared.wait()
        assert len(made) == AHEAD + 1
        assert [loop.run(prepared.next()) for _ in range(200)] == list(range(200))
        prepared.close()
        assert len(made) <= 202 + AHEAD


def test_what_making_raises_comes_after_what_was_made() -> None:
    def make() -> Iterator[int]:
        yield 1
        time.sleep(0.05)
        raise EngineError("no more")

    with event_loop() as loop:
        prepared = Prepared(make(), loop.loop)
        assert loop.run(prepared.next()) == 1
        with pytest.raises(EngineError, match="no more"):
            loop.run(prepared.next())
        prepared.close()


def test_the_end_of_what_is_made_is_told() -> None:
    with event_loop() as loop:
        prepared = Prepared(iter([1]), loop.loop)
        assert loop.run(prepared.next()) == 1
        assert loop.run(prepared.next()) is None
        prepared.close()
