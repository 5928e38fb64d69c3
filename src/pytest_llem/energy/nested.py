"""Windows nested in processes: what they say of the mean over processes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.known import all_known
from pytest_llem.energy.student import mean_and_half_width_95, student_95

if TYPE_CHECKING:
    from collections.abc import Sequence


def nested_half_width_95(
    windows: Sequence[Sequence[float]], stated: Sequence[float | None]
) -> float | None:
    """Half-width of a mean over processes by what is known inside of each, not between them.

    How windows scatter is put together with the degrees of freedom of all of them (Satterthwaite
    1946, Biometrics Bulletin 2): a few windows in each of several processes tell more than in one.
    What a process states beyond its windows' scatter is its instrument's, and independent of
    others'.

    Args:
        windows: values of each process, of which its own is the mean; fewer than two show no scatter.
        stated: half-width of the 95 % interval of each process.

    Returns:
        ``None`` where a process states none.
    """
    known = all_known(stated)
    if known is None:
        return None
    parts = [_part(values, half) for values, half in zip(windows, known, strict=True)]
    rest = math.hypot(*(part.rest for part in parts))
    return math.hypot(_spread(parts), rest) / len(parts)


def beyond_windows(values: Sequence[float], stated: float) -> float:
    """Half-width of what the scatter of a process's windows does not show: its instrument's."""
    return _part(values, stated).rest


class _Part(NamedTuple):
    """What one process states of itself."""

    variance: float
    """Of its mean, as its windows scatter."""
    df: int
    rest: float
    """Half-width of what its windows do not show."""


def _part(values: Sequence[float], stated: float) -> _Part:
    if len(values) <= 1:
        return _Part(0.0, 1, stated)
    df = len(values) - 1
    half = mean_and_half_width_95(list(values))[1] or 0.0
    rest = math.sqrt(max(stated**2 - half**2, 0.0))
    return _Part((half / student_95(df)) ** 2, df, rest)


def _spread(parts: Sequence[_Part]) -> float:
    largest = max(part.variance for part in parts)
    if largest == 0:
        return 0.0
    shares = [part.variance / largest for part in parts]  # squares of small ones are no numbers
    squares = math.fsum(share**2 / part.df for share, part in zip(shares, parts, strict=True))
    df = max(math.floor(math.fsum(shares) ** 2 / squares), 1)
    return student_95(df) * math.sqrt(largest * math.fsum(shares))
