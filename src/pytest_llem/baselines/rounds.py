"""The statistics that pytest-benchmark keeps of a benchmark's rounds."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_REACH = 1.5
"""Interquartile ranges beyond the quartiles from which a value is an outlier (Tukey)."""


def statistics_of_rounds(values: Sequence[float]) -> dict[str, float | int | str]:
    """The members of ``stats`` in pytest-benchmark's JSON, of at least one value.

    Quartiles are the medians of the halves; where the number of values is odd, those that
    weigh the middle one by a quarter and three quarters (methods 2 and 3 of
    https://en.wikipedia.org/wiki/Quartile#Computing_methods), as pytest-benchmark has them.
    """
    data = sorted(values)
    mean, total = statistics.mean(data), math.fsum(data)
    stddev = statistics.stdev(data) if len(data) > 1 else 0.0
    low, high = _quartiles(data)
    iqr = high - low
    fences = low - _REACH * iqr, high + _REACH * iqr
    by_stddev = _outside(data, mean - stddev, mean + stddev)
    by_iqr = _outside(data, *fences)
    return {
        "min": data[0],
        "max": data[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": iqr,
        "q1": low,
        "q3": high,
        "iqr_outliers": by_iqr,
        "stddev_outliers": by_stddev,
        "outliers": f"{by_stddev};{by_iqr}",
        "ld15iqr": next(value for value in data if value >= fences[0]),
        "hd15iqr": next(value for value in reversed(data) if value <= fences[1]),
        "ops": len(data) / total if total else 0.0,
        "total": total,
    }


def _quartiles(data: Sequence[float]) -> tuple[float, float]:
    count = len(data)
    if count == 1:
        return data[0], data[0]
    if count % 2 == 0:
        return statistics.median(data[: count // 2]), statistics.median(data[count // 2 :])
    quarter, rest = divmod(count, 4)
    near, far = (0.25, 0.75) if rest == 1 else (0.75, 0.25)
    first = quarter - 1 if rest == 1 else quarter
    return (
        near * data[first] + far * data[first + 1],
        far * data[count - 2 - first] + near * data[count - 1 - first],
    )


def _outside(data: Sequence[float], low: float, high: float) -> int:
    return sum(value < low or value > high for value in data)
