"""What clients saw of a server, from the marks of its requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.energy.failures import disturbing, failures_in, said_of
from pytest_llem.energy.gaps import gap_counts, latency_of, latency_of_gaps
from pytest_llem.energy.marks import MeasurementMarks, Pass, RequestMark, Served, WindowMark
from pytest_llem.energy.traffic import traffic_of, traffic_warnings

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
    assert list(traffic_warnings(None)) == []


def test_rates_and_latencies_are_those_of_the_requests() -> None:
    requests = [request(0.5, ttft_s=0.1 * (n + 1), e2e_s=1.5) for n in range(10)]
    found = figures([window(0, steady([4], requests)), window(1, steady([4], requests))])
    assert found.loop == "closed"
    assert found.served_per_s == pytest.approx(10)
    assert found.ttft.p50_s == pytest.approx(0.5)
    assert found.ttft.p90_s == pytest.approx(0.9)
    assert found.ttft.max_s == pytest.approx(1.0)
    assert found.e2e.p99_s == pytest.approx(1.5)
    assert found.tpot.max_s == pytest.approx(1.4 / 10)
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
    found = figures([window(0, steady([1], [request(0.5), failed]))], slo_e2e_s=9)
    assert (found.served, found.failed, found.failures) == (1, 1, {"stalled": 1})
    assert found.goodput_share == 0.5
    assert found.e2e.max_s == pytest.approx(0.5)


def test_a_queue_that_grows_is_told_and_one_that_wavers_is_not() -> None:
    growing = [window(n, steady([100 * n + 10 * m for m in range(10)])) for n in range(3)]
    found = figures(growing, rate_per_s=110)
    assert found.queue_grew
    assert found.offered_per_s == pytest.approx(10 + 100, rel=0.05)
    assert "faster than they were served" in " ".join(traffic_warnings(found))
    wavering = [window(n, steady([50, 58, 45, 52, 60, 47, 55, 49, 51, 57])) for n in range(3)]
    assert not figures(wavering, rate_per_s=10).queue_grew


def test_late_requests_are_told() -> None:
    late = request(0.5)
    late = late._replace(sent_ns=late.due_ns + 20 * MS)
    found = figures([window(0, steady([1], [late]))], rate_per_s=1)
    assert found.lateness.p99_s == pytest.approx(0.02)
    assert "20 ms late" in " ".join(traffic_warnings(found))


def test_one_failure_in_a_hundred_is_named_and_more_disturb() -> None:
    good, bad = request(0.5), request(0.5, failure="http_500")
    few = failures_in(window(0, steady([1], [good] * 99 + [bad])).passes)
    many = failures_in(window(0, steady([1], [good] * 98 + [bad] * 2)).passes)
    assert not disturbing(few)
    assert disturbing(many)
    assert said_of(many) == "2 of 100 requests failed: 2 × http_500"
    assert not disturbing(failures_in([]))


@given(st.lists(st.integers(1, 10**11), min_size=1, max_size=50))
def test_quantiles_of_counted_gaps_are_exact_to_half_a_percent(gaps_ns: list[int]) -> None:
    stamps = [0]
    for gap in gaps_ns:
        stamps.append(stamps[-1] + gap)
    exact, counted = latency_of(gap / 1e9 for gap in gaps_ns), latency_of_gaps(gap_counts([stamps]))
    assert exact is not None
    assert counted is not None
    for name in ("mean_s", "p50_s", "p90_s", "p95_s", "p99_s", "max_s"):
        assert getattr(counted, name) == pytest.approx(getattr(exact, name), rel=0.0051)


def test_pieces_that_were_read_together_have_no_gap() -> None:
    found = latency_of_gaps(gap_counts([(5, 5, 5), (7,)]))
    assert found is not None
    assert found.max_s == 0
    assert latency_of_gaps(gap_counts([(7,), ()])) is None
