"""Where processes and sides lie, on the logarithm of the metric; without numpy or scipy.

The process is the unit of replication: its windows are nested in it and only tell
where the process lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.samples import Side

TRIM = 0.2
"""Share of a process's windows that is cut at each end."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Where the windows of one process lie."""

    location: float
    """Trimmed mean of the logarithms."""
    squares: float
    """Winsorized sum of squares around their mean."""
    kept: int
    """Windows that the trimming left."""

    @property
    def df(self) -> int:
        return self.kept - 1


def cut(count: int) -> int:
    """How many of *count* windows are cut at each end."""
    return int(TRIM * count)


def windows(values: Sequence[float]) -> Windows:
    """Trimmed mean and winsorized squares of the logarithms of positive *values*.

    The pair behind the trimmed t statistic of Tukey and McLaughlin (1963) and
    Yuen (1974): ``squares / (kept * (kept - 1))`` is the squared standard error.
    """
    logs = sorted(map(math.log, values))
    off = cut(len(logs))
    kept = logs[off : len(logs) - off]
    winsorized = [kept[0]] * off + kept + [kept[-1]] * off
    centre = math.fsum(winsorized) / len(winsorized)
    squares = math.fsum((log - centre) ** 2 for log in winsorized)
    return Windows(math.fsum(kept) / len(kept), squares, len(kept))


def location(side: Side) -> float:
    """Logarithm of where a side lies: processes count alike in a session, and so do sessions."""
    return _mean(
        [_mean([windows(sample.values).location for sample in one]) for one in side.sessions]
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
