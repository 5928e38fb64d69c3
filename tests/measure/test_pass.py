"""A batch as a pass: its means, and its latencies in bins."""

from __future__ import annotations

import pytest

from pytest_llem.energy.latency import latencies_of
from pytest_llem.engines.engine import Generation, RequestResult
from pytest_llem.measure.work import pass_of

MS = 1_000_000


def request(
    *token_ms: int, arrival_ms: int | None = None, queued_ms: int | None = None
) -> RequestResult:
    """A request with tokens at these times, scheduled 2 ms after it was queued."""
    stamps = tuple(at * MS for at in token_ms)
    return RequestResult(
        request_id="r",
        input_tokens=4,
        output_tokens=len(stamps),
        first_token_ns=stamps[0],
        finish_ns=stamps[-1],
        finish_reason="length",
        arrival_ns=None if arrival_ms is None else arrival_ms * MS,
        queued_ns=None if queued_ms is None else queued_ms * MS,
        scheduled_ns=None if queued_ms is None else (queued_ms + 2) * MS,
        token_ns=stamps,
    )


def test_latencies_are_those_of_each_request_and_each_gap() -> None:
    done = pass_of(Generation(0, 100 * MS, (request(10, 20, 40, queued_ms=1),) * 2))
    found = latencies_of([done.latencies])
    assert found is not None
    assert found.queue is not None
    assert found.ttft is not None
    assert found.itl is not None
    assert (found.queue.count, found.ttft.count, found.itl.count) == (2, 2, 4)
    assert found.queue.p50_s == pytest.approx(0.002, rel=0.006)
    assert found.ttft.p50_s == pytest.approx(0.010, rel=0.006)
    assert (found.itl.p50_s, found.itl.p99_s) == pytest.approx((0.010, 0.020), rel=0.006)


def test_a_request_that_came_later_waits_from_its_arrival() -> None:
    done = pass_of(Generation(0, 100 * MS, (request(10), request(70, arrival_ms=60))))
    assert done.ttft_s == pytest.approx(0.010)


def test_what_one_request_does_not_say_is_unknown_of_the_pass() -> None:
    done = pass_of(Generation(0, 100 * MS, (request(10, 20, queued_ms=1), request(10, 20))))
    assert set(done.latencies) == {"ttft", "itl"}
    assert pass_of(Generation(0, 1, ())).latencies == {}
