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

LatencyKind = Literal["queue", "ttft", "itl"]
"""From queued to first scheduled; from arrival to the first token; between tokens."""
Bins = dict[int, int]
"""How many latencies lie in each bin, by its number."""
ACCURACY = 0.005
"""Largest relative error of a percentile."""
LEAST_S = 1e-9
"""What is shorter counts as this; no clock here resolves it."""
_WIDTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_WIDTH = math.log(_WIDTH)


class Percentiles(BaseModel):
    """Of latencies, in seconds."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    count: int
    """How many there were."""
    p50_s: float
    p90_s: float
    p99_s: float


class Latencies(BaseModel):
    """Of all requests of the valid windows over the whole; ``None`` is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    queue: Percentiles | None = None
    """From being queued by the engine to being scheduled first, by the engine's stamps."""
    ttft: Percentiles | None = None
    """From a request's arrival to its first token."""
    itl: Percentiles | None = None
    """Between output tokens; those of one step have none between them."""


def binned(latencies_s: Iterable[float]) -> Bins:
    """Latencies, in seconds, as bins."""
    return dict(Counter(_bin(value) for value in latencies_s))


def _bin(latency_s: float) -> int:
    return math.ceil(math.log(max(latency_s, LEAST_S)) / _LOG_WIDTH)


def quantile(bins: Bins, share: float) -> float:
    """The latency that *share* of those in *bins* (at least one) do not exceed, in seconds."""
    rank = max(1, math.ceil(share * sum(bins.values())))
    for number in sorted(bins):
        rank -= bins[number]
        if rank <= 0:
            break
    return 2 * _WIDTH**number / (_WIDTH + 1)


def latencies_of(passes: Iterable[Mapping[LatencyKind, Bins]]) -> Latencies | None:
    """Percentiles over passes; ``None`` where none of them knows any."""
    added: dict[LatencyKind, Counter[int]] = {}
    for kinds in passes:
        for kind, bins in kinds.items():
            added.setdefault(kind, Counter()).update(bins)
    if not added:
        return None
    return Latencies.model_validate({kind: _percentiles(bins) for kind, bins in added.items()})


def _percentiles(bins: Bins) -> Percentiles | None:
    if not bins:
        return None
    p50_s, p90_s, p99_s = (quantile(bins, share) for share in (0.5, 0.9, 0.99))
    return Percentiles(count=sum(bins.values()), p50_s=p50_s, p90_s=p90_s, p99_s=p99_s)
