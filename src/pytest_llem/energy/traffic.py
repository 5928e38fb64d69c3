"""What clients saw of a server, from the marks of its requests."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from pytest_llem.energy.failures import failures_in
from pytest_llem.energy.latency import binned
from pytest_llem.energy.measured import TrafficFigures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.config.traffic import TrafficConfig
    from pytest_llem.energy.latency import Bins, Latencies, LatencyKind
    from pytest_llem.energy.marks import MeasurementMarks, Pass, RequestMark, Served, WindowMark
    from pytest_llem.energy.measured import WindowSample

GROWN_SHARE = 0.02
"""Of the requests served: a queue that grew by less grew no faster than clocks differ."""
GROWN_DEVIATIONS = 3
"""Of the requests under way at an instant, which are Poisson distributed where none waits."""
LATE_S = 0.005
"""Requests that are sent later than this are not the arrivals that were asked for."""


def traffic_of(marks: MeasurementMarks, samples: Sequence[WindowSample]) -> TrafficFigures | None:
    """Figures over the valid windows of the whole, over all if none is; ``None`` for batches."""
    if marks.traffic is None:
        return None
    windows = windows_that_count(marks, samples)
    return _figures(marks.traffic, windows) if windows else None


def windows_that_count(
    marks: MeasurementMarks, samples: Sequence[WindowSample]
) -> list[WindowMark]:
    """The valid windows of the whole; of traffic all if none is, so that failures can be seen."""
    whole = [mark for mark in marks.windows if mark.phase == "whole"]
    valid = {(one.phase, one.index) for one in samples if one.valid}
    found = [mark for mark in whole if (mark.phase, mark.index) in valid]
    if marks.traffic is None or found:
        return found
    return [mark for mark in whole if mark.passes]


def _figures(asked: TrafficConfig, windows: Sequence[WindowMark]) -> TrafficFigures:
    passes = list(chain.from_iterable(mark.passes for mark in windows))
    served = [one.served for one in passes if one.served is not None]
    requests = [request for one in served for request in one.requests]
    good = [request for request in requests if request.failure is None]
    seconds = math.fsum((mark.end_ns - mark.start_ns) / 1e9 for mark in windows)
    within = sum(_within(asked, request) for request in good) if asked.has_slo else None
    opened = asked.rate_per_s is not None
    failures = failures_in(passes)
    return TrafficFigures(
        loop="open" if opened else "closed",
        concurrency=None if opened else asked.concurrency,
        offered_per_s=_offered_per_s(windows) if opened else None,
        served_per_s=len(good) / seconds if seconds else None,
        goodput_per_s=within / seconds if within is not None and seconds else None,
        goodput_share=within / len(requests) if within is not None and requests else None,
        served=len(good),
        failed=failures.failed,
        failures=dict(failures.kinds),
        counted_by=dict(Counter(request.counted_by or "unknown" for request in good)),
        in_flight_mean=sum(one.in_flight for one in served) / len(served) if served else None,
        queue_grew=_grew(windows) if opened else None,
    )


def latencies_in(done: Pass, *, opened: bool) -> Mapping[LatencyKind, Bins]:
    """Latencies of a pass of traffic in bins: its gaps, and what its requests say.

    Args:
        done: the pass.
        opened: whether requests had instants at which they were due.
    """
    if done.served is None:
        return done.latencies
    requests = done.served.requests
    good = [one for one in requests if one.failure is None]
    seconds: dict[LatencyKind, list[float | None]] = {
        "ttft": [_ttft_s(one) for one in good],
        "tpot": [_tpot_s(one) for one in good],
        "e2e": [_e2e_s(one) for one in good],
        "lateness": [_lateness_s(one) for one in requests] if opened else [],
    }
    known = {kind: [s for s in values if s is not None] for kind, values in seconds.items()}
    return {**done.latencies, **{kind: binned(values) for kind, values in known.items() if values}}


def _within(asked: TrafficConfig, one: RequestMark) -> bool:
    """Whether a request was served within all limits; an unknown latency is not within one."""
    limits = (
        (asked.slo_ttft_s, _ttft_s(one)),
        (asked.slo_itl_s, 0.0 if one.output_tokens == 1 else _tpot_s(one)),
        (asked.slo_e2e_s, _e2e_s(one)),
    )
    return all(limit is None or (s is not None and s <= limit) for limit, s in limits)


def _ttft_s(one: RequestMark) -> float | None:
    return None if one.first_token_ns is None else (one.first_token_ns - one.due_ns) / 1e9


def _tpot_s(one: RequestMark) -> float | None:
    if one.first_token_ns is None or one.output_tokens is None or one.output_tokens <= 1:
        return None
    return (one.end_ns - one.first_token_ns) / 1e9 / (one.output_tokens - 1)


def _e2e_s(one: RequestMark) -> float:
    return (one.end_ns - one.due_ns) / 1e9


def _lateness_s(one: RequestMark) -> float:
    return (one.sent_ns - one.due_ns) / 1e9


def _offered_per_s(windows: Sequence[WindowMark]) -> float | None:
    """Requests served, and by how many the queue grew, over following windows."""
    first, last = _served(windows[0].passes), _served(windows[-1].passes)
    seconds = (windows[-1].end_ns - windows[0].passes[0].end_ns) / 1e9
    if not first or not last or seconds <= 0:
        return None
    ended = [
        request for mark in windows for one in _served(mark.passes) for request in one.requests
    ]
    ended = ended[len(first[0].requests) :]
    spans = [(mark.end_ns - mark.start_ns) / 1e9 for mark in windows]
    spans[0] = (windows[0].end_ns - windows[0].passes[0].end_ns) / 1e9
    measured_s = math.fsum(spans)
    if not ended or measured_s <= 0:
        return None
    return (len(ended) + last[-1].in_flight - first[0].in_flight) / measured_s


def _grew(windows: Sequence[WindowMark]) -> bool:
    """Whether more requests waited at the end than chance explains, and ever more did."""
    ends = [one.in_flight for mark in windows for one in _served(mark.passes)]
    if len(ends) < 2:  # noqa: PLR2004 - growth takes two looks
        return False
    served = sum(len(one.requests) for mark in windows for one in _served(mark.passes))
    growth, middle = ends[-1] - ends[0], ends[len(ends) // 2]
    chance = GROWN_DEVIATIONS * math.sqrt(2 * max(ends[0], 1))
    return growth > max(chance, GROWN_SHARE * served) and ends[0] < middle < ends[-1]


def _served(passes: Sequence[Pass]) -> list[Served]:
    return [one.served for one in passes if one.served is not None]


def traffic_warnings(figures: TrafficFigures | None, latencies: Latencies | None) -> Iterator[str]:
    """What a reader of the figures has to know."""
    if figures is None:
        return
    if figures.queue_grew:
        yield (
            f"requests came faster than they were served ({figures.offered_per_s or 0:.4g} against "
            f"{figures.served_per_s or 0:.4g} per second), so that latencies only say for how long "
            "that went on: lower traffic.rate_per_s"
        )
    lateness = None if latencies is None else latencies.lateness
    if lateness is not None and lateness.p99_s > LATE_S:
        yield (
            f"one request in a hundred was sent {lateness.p99_s * 1e3:.3g} ms late or more: "
            "this machine is too busy for the rate"
        )
    if unknown := figures.counted_by.get("unknown"):
        yield (
            f"{unknown} of {figures.served} answers did not say how many tokens they are, so that "
            "figures per token are unknown"
        )
    if inferred := figures.counted_by.get("length"):
        yield (
            f"{inferred} of {figures.served} answers came without usage: their tokens are those asked "
            "for, as they ended at their length"
        )
