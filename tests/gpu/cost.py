"""What a call of the driver costs the process that samples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gpu.findings import CannotRunError, Finding, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHECK = "cost of a call"


def cost(
    calls: Mapping[str, Callable[[], object]],
    count: int,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Finding:
    """Median, 99th percentile and longest of *count* calls each, in microseconds.

    Raises:
        CannotRunError: the driver answers none of them.
    """
    figures: dict[str, Any] = {}
    for name, call in calls.items():
        took_us = []
        for _ in range(count):
            start_ns = clock()
            call()
            took_us.append((clock() - start_ns) / 1000)
        figures[name] = {
            "p50_us": quantile(took_us, 0.5),
            "p99_us": quantile(took_us, 0.99),
            "max_us": max(took_us),
            "calls": count,
        }
    if not figures:
        raise CannotRunError("the driver answers no call")
    told = ", ".join(
        f"{name} {one['p50_us']:.0f} µs (p99 {one['p99_us']:.0f})" for name, one in figures.items()
    )
    return Finding(CHECK, told, figures=figures)
