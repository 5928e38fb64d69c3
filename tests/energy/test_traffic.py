"""What clients saw of a server, from the marks of its requests."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.energy.failures import disturbing, failures_in, said_of
from pytest_llem.energy.latency import ACCURACY, latencies_of
from pytest_llem.energy.marks import MeasurementMarks, Pass, RequestMark, Served, WindowMark
from pytest_llem.energy.traffic import latencies_in, traffic_of, traffic_warnings

SECOND = 1_000_000_000
MS = 1_000_000


def request(end_s: float, *, ttft_s: float = 0.1, e2e_s: float = 0.5, **known: Any) -> RequestMark:
    """A request that ended then, of eleven tokens."""
    end_ns = round(end_s * SECOND)
    due_ns = end_ns - round(e2e_s * SECOND)
    first_ns = due_ns + round(ttft_s * SECOND)
    fields: dict[str, Any] = {
        "due_ns": due_ns,
        "sent_ns": due_ns + MS,
        "end_ns": end_ns,
        "first_token_ns": first_ns,
        "input_tokens": 5,
        "output_tokens": 11,
        "failure": None,
        "counted_by": "usage",
    }
    return RequestMark(**(fields | known))


def window(index: int, served: list[Served]) -> WindowMark:
    """One second with passes of equal length."""
    start_ns, step_ns = index * SECOND, SECOND // len(served)
    passes = tuple(
        Pass(
            start_ns=start_ns + number * step_ns,
            end_ns=start_ns + (number + 1) * step_ns,
            requests=len(one.requests),
            input_tokens=None,
            output_tokens=None,
            served=one,
        )
        for number, one in enumerate(served)
    )
    end_ns = start_ns + SECOND
    return WindowMark(phase="whole", index=index, start_ns=start_ns, end_ns=end_ns, passes=passes)


def close_to(seconds: float) -> Any:
    return pytest.approx(seconds, rel=ACCURACY * 1.001)


def latencies(windows: list[WindowMark], *, opened: bool = False) -> Any:
    return latencies_of(
        latencies_in(done, opened=opened) for mark in windows for done in mark.passes
    )


def figures(windows: list[WindowMark], **traffic: Any) -> Any:
    marks = MeasurementMarks(
        name="workload",
        kind="workload",
        warm_up=None,
        windows=tuple(windows),
        load_end_ns=windows[-1].end_ns,
        traffic=TrafficConfig(**traffic),
    )
    return traffic_of(marks, [])


def steady(in_flight: list[int], requests: list[RequestMark] | None = None) -> list[Served]:
    taken = tuple(requests or [request(0.5)])
    return [Served(requests=taken, in_flight=count) for count in in_flight]


def test_batches_have_no_traffic() -> None:
    marks = MeasurementMarks(
        name="workload", kind="workload", warm_up=None, windows=(), load_end_ns=1
    )
    assert traffic_of(marks, []) is None
    assert list(traffic_warnings(None, None)) == []


def test_rates_and_latencies_are_those_of_the_requests() -> None:
    requests = [request(0.5, ttft_s=0.1 * (n + 1), e2e_s=1.5) for n in range(10)]
    windows = [window(0, steady([4], requests)), window(1, steady([4], requests))]
    found, took = figures(windows), latencies(windows)
    assert found.loop == "closed"
    assert found.served_per_s == pytest.approx(10)
    assert took.ttft.p50_s == close_to(0.5)
    assert took.ttft.p90_s == close_to(0.9)
    assert took.ttft.max_s == close_to(1.0)
    assert took.e2e.p99_s == close_to(1.5)
    assert took.tpot.max_s == close_to(1.4 / 10)
    assert took.lateness is None
    assert found.goodput_per_s is None
    assert found.queue_grew is None


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        ({"slo_ttft_s": 0.35}, 0.5),
        ({"slo_ttft_s": 0.35, "slo_e2e_s": 0.1}, 0),
        ({"slo_itl_s": 0.05}, 0.5),
        ({"slo_e2e_s": 9, "slo_ttft_s": 9}, 1),
    ],
)
def test_goodput_is_what_was_within_every_limit(limits: dict[str, float], share: float) -> None:
    quick, slow = request(0.5, ttft_s=0.3), request(0.5, ttft_s=0.4, e2e_s=2)
    found = figures([window(0, steady([1], [quick, slow]))], **limits)
    assert found.goodput_share == share
    assert found.goodput_per_s == pytest.approx(2 * share)


def test_a_failed_request_is_no_goodput_and_has_no_latency() -> None:
    failed = request(0.5, failure="stalled", first_token_ns=None, counted_by=None, e2e_s=50)
    windows = [window(0, steady([1], [request(0.5), failed]))]
    found = figures(windows, slo_e2e_s=9)
    assert (found.served, found.failed, found.failures) == (1, 1, {"stalled": 1})
    assert found.goodput_share == 0.5
    assert latencies(windows).e2e.max_s == close_to(0.5)


def test_a_queue_that_grows_is_told_and_one_that_wavers_is_not() -> None:
    growing = [window(n, steady([100 * n + 10 * m for m in range(10)])) for n in range(3)]
    found = figures(growing, rate_per_s=110)
    assert found.queue_grew
    assert found.offered_per_s == pytest.approx(10 + 100, rel=0.05)
    assert "faster than they were served" in " ".join(traffic_warnings(found, None))
    wavering = [window(n, steady([50, 58, 45, 52, 60, 47, 55, 49, 51, 57])) for n in range(3)]
    assert not figures(wavering, rate_per_s=10).queue_grew


def test_late_requests_are_told() -> None:
    late = request(0.5)
    late = late._replace(sent_ns=late.due_ns + 20 * MS)
    windows = [window(0, steady([1], [late]))]
    took = latencies(windows, opened=True)
    assert took.lateness.p99_s == close_to(0.02)
    (said,) = traffic_warnings(figures(windows, rate_per_s=1), took)
    assert re.search(r"was sent (20|19\.9|20\.1) ms late", said)


def test_one_failure_in_a_hundred_is_named_and_more_disturb() -> None:
    good, bad = request(0.5), request(0.5, failure="http_500")
    few = failures_in(window(0, steady([1], [good] * 99 + [bad])).passes)
    many = failures_in(window(0, steady([1], [good] * 98 + [bad] * 2)).passes)
    assert not disturbing(few)
    assert disturbing(many)
    assert said_of(many) == "2 of 100 requests failed: 2 × http_500"
    assert not disturbing(failures_in([]))
