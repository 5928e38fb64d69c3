"""The times that TensorRT-LLM keeps of a request, as ``time.monotonic_ns`` counts them.

``request_perf_metrics.timing_metrics`` of an output holds ``std::chrono::steady_clock`` as
``datetime.timedelta`` since that clock's start. On Linux both that clock and Python's monotonic
one are ``CLOCK_MONOTONIC``, in every process of a machine (libstdc++'s ``chrono.cc``; PEP 418). A
``timedelta`` counts microseconds, so that stamps are rounded down to those. ``metrics_dict`` of a
result holds differences in seconds from the request's arrival; it is used where the first is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MICROSECOND = timedelta(microseconds=1)
TOLERANCE_NS = 2_000_000
"""How far outside of its batch a stamp may be: clocks are read on either side of a queue."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """When things happened to one request; ``None`` is unknown."""

    arrival_ns: int | None = None
    scheduled_ns: int | None = None
    first_token_ns: int | None = None
    last_token_ns: int | None = None
    clock: str | None = None
    """``engine`` where the instants are its own, ``durations`` where they count from ours."""

    def within(self, start_ns: int, end_ns: int) -> bool:
        """Whether all of them are in order, and lie between these two."""
        known = [
            one
            for one in (
                self.arrival_ns,
                self.scheduled_ns,
                self.first_token_ns,
                self.last_token_ns,
            )
            if one is not None
        ]
        inside = all(start_ns - TOLERANCE_NS <= one <= end_ns + TOLERANCE_NS for one in known)
        return inside and known == sorted(known)


def stamps_of(result: Any, output: Any, arrival_ns: int) -> Stamps:
    """What TensorRT-LLM says of a finished request.

    Args:
        result: its ``RequestOutput``.
        output: the first of its ``outputs``.
        arrival_ns: when it was sent, by our own clock.
    """
    timing = getattr(getattr(output, "request_perf_metrics", None), "timing_metrics", None)
    if timing is not None:
        return Stamps(
            arrival_ns=_instant(timing, "arrival_time"),
            scheduled_ns=_instant(timing, "first_scheduled_time"),
            first_token_ns=_instant(timing, "first_token_time"),
            last_token_ns=_instant(timing, "last_token_time"),
            clock="engine",
        )
    return _from_durations(getattr(result, "metrics_dict", None) or {}, arrival_ns)


def _from_durations(metrics: Mapping[Any, Any], arrival_ns: int) -> Stamps:
    """Keys are members of ``MetricNames``, beside others."""
    known = {str(getattr(key, "name", key)).lower(): value for key, value in metrics.items()}
    after = {
        name: arrival_ns + round(seconds * 1e9)
        for name in ("request_queue_time", "ttft", "e2e")
        if isinstance(seconds := known.get(name), int | float) and seconds > 0
    }
    return Stamps(
        arrival_ns=arrival_ns,
        scheduled_ns=after.get("request_queue_time"),
        first_token_ns=after.get("ttft"),
        last_token_ns=after.get("e2e"),
        clock="durations" if after else None,
    )


def _instant(timing: Any, name: str) -> int | None:
    """A stamp in nanoseconds; ``None`` if it is not set, which is 0."""
    value = getattr(timing, name, None)
    return value // MICROSECOND * 1000 if isinstance(value, timedelta) and value else None
