"""Gaps between pieces of answers, counted in bins so that any number of them takes no room.

Bins grow by one percent: a quantile taken from them is exact to half of that.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from pytest_llem.energy.measured import Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GROWTH = 1.01
NO_GAP = -1
"""The bin of pieces that were read together."""
_LOG = math.log(GROWTH)
QUANTILES = (0.5, 0.9, 0.95, 0.99)


def gap_counts(stamps: Iterable[Sequence[int]]) -> Counter[int]:
    """Gaps between following stamps of each answer, in nanoseconds, by bin."""
    counts: Counter[int] = Counter()
    for ns in stamps:
        counts.update(map(_bin, ns[:-1], ns[1:]))
    return counts


def _bin(before_ns: int, after_ns: int) -> int:
    gap_ns = after_ns - before_ns
    return NO_GAP if gap_ns <= 0 else math.floor(math.log(gap_ns) / _LOG)


def latency_of_gaps(counts: Mapping[int, int]) -> Latency | None:
    """Mean and quantiles of counted gaps; ``None`` if there are none."""
    total = sum(counts.values())
    if not total:
        return None
    known = sorted(counts)
    mean_s = math.fsum(_seconds(one) * counts[one] for one in known) / total
    found: list[float] = []
    seen, wanted = 0, [share * total for share in QUANTILES]
    for one in known:
        seen += counts[one]
        while len(found) < len(wanted) and seen >= wanted[len(found)]:
            found.append(_seconds(one))
    return _latency(mean_s, found, _seconds(known[-1]))


def latency_of(values_s: Iterable[float]) -> Latency | None:
    """Mean and quantiles of values; ``None`` if there are none.

    Quantiles are nearest ranks: values that occurred (Hyndman and Fan 1996, The American
    Statistician 50, 361, definition 1).
    """
    known = sorted(values_s)
    if not known:
        return None
    found = [known[max(math.ceil(share * len(known)) - 1, 0)] for share in QUANTILES]
    return _latency(math.fsum(known) / len(known), found, known[-1])


def _latency(mean_s: float, quantiles_s: Sequence[float], max_s: float) -> Latency:
    p50_s, p90_s, p95_s, p99_s = quantiles_s
    return Latency(mean_s=mean_s, p50_s=p50_s, p90_s=p90_s, p95_s=p95_s, p99_s=p99_s, max_s=max_s)


def _seconds(number: int) -> float:
    """The middle of a bin."""
    return 0.0 if number == NO_GAP else GROWTH ** (number + 0.5) / 1e9
