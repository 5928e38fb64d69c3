"""Latencies of many requests, as counts in bins of one relative width.

After DDSketch (Masson, Rim and Lee, VLDB 2019): bin *i* holds what lies above ``g^(i-1)`` and up
to ``g^i`` with ``g = (1 + a) / (1 - a)``, and answers ``2 g^i / (g + 1)``, which is off by at most
the share *a*. Bins of different passes add up, however many tokens there are.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LatencyKind = Literal["queue", "ttft", "itl", "tpot", "e2e", "lateness"]
"""Each is a field of :class:`Latencies`."""
Bins = dict[int, int]
"""How many latencies lie in each bin, by its number."""
ACCURACY = 0.005
"""Largest relative error of a figure."""
LEAST_S = 1e-9
"""What is shorter counts as this; no clock here resolves it."""
_WIDTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_WIDTH = math.log(_WIDTH)


class Percentiles(BaseModel):
    """Of latencies, in seconds, each exact to half a percent."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    count: int
    """How many there were."""
    p50_s: float
    p90_s: float
    p99_s: float
    mean_s: float | None = None
    """``None`` in results that were stored without it, like the two that follow."""
    p95_s: float | None = None
    max_s: float | None = None


class Latencies(BaseModel):
    """Of all requests of the valid windows over the whole; ``None`` is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    queue: Percentiles | None = None
    """From being queued by the engine to being scheduled first, by the engine's stamps."""
    ttft: Percentiles | None = None
    """From when a request was due to its first token."""
    itl: Percentiles | None = None
    """Between output tokens, or pieces of a server's answer; those of one step, and pieces that
    were read together, have none between them."""
    tpot: Percentiles | None = None
    """A token after the first one, as a request's mean; of traffic only."""
    e2e: Percentiles | None = None
    """From when a request was due to its last token; of traffic only."""
    lateness: Percentiles | None = None
    """From when a request was due to when it was sent; of traffic in an open loop only."""


def binned(latencies_s: Iterable[float]) -> Bins:
    """Latencies, in seconds, as bins.

    Equal ones, as requests of one batch have them, are counted before they are sorted into
    bins, since this is done between passes, while the devices wait.
    """
    bins: Bins = {}
    for latency_s, count in Counter(latencies_s).items():
        number = _bin(latency_s)
        bins[number] = bins.get(number, 0) + count
    return bins


def _bin(latency_s: float) -> int:
    return math.ceil(math.log(max(latency_s, LEAST_S)) / _LOG_WIDTH)


def _seconds(number: int) -> float:
    """What a bin answers."""
    return 2 * _WIDTH**number / (_WIDTH + 1)


def quantile(bins: Bins, share: float) -> float:
    """The latency that *share* of those in *bins* (at least one) do not exceed, in seconds.

    A nearest rank: a latency that occurred, to the bins' accuracy (Hyndman and Fan 1996, The
    American Statistician 50, 361, definition 1).
    """
    rank = max(1, math.ceil(share * sum(bins.values())))
    for number in sorted(bins):
        rank -= bins[number]
        if rank <= 0:
            break
    return _seconds(number)


def latencies_of(passes: Iterable[Mapping[LatencyKind, Bins]]) -> Latencies | None:
    """Figures over passes; ``None`` where none of them knows any."""
    added: dict[LatencyKind, Counter[int]] = {}
    for kinds in passes:
        for kind, bins in kinds.items():
            added.setdefault(kind, Counter()).update(bins)
    if not added:
        return None
    return Latencies.model_validate({kind: percentiles(bins) for kind, bins in added.items()})


def percentiles(bins: Bins) -> Percentiles | None:
    """Figures of latencies in bins; ``None`` if there are none."""
    if not bins:
        return None
    count = sum(bins.values())
    return Percentiles(
        count=count,
        mean_s=math.fsum(_seconds(number) * bins[number] for number in bins) / count,
        p50_s=quantile(bins, 0.5),
        p90_s=quantile(bins, 0.9),
        p95_s=quantile(bins, 0.95),
        p99_s=quantile(bins, 0.99),
        max_s=_seconds(max(bins)),
    )
