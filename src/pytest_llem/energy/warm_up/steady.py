"""Whether a load runs steadily, by how long its passes take."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.marks import Criterion
from pytest_llem.energy.warm_up.load import SETTLING_S
from pytest_llem.energy.warm_up.trend import LEAST_POINTS, trend

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_PASSES = 6
"""Fewer passes show no trend."""
LEAST_DRIFT = 0.02
"""Medians that differ by less count as equal."""
MOST_DRIFT = 0.25
"""Medians that differ by more are not equal, however much single passes vary."""
AHEAD = 5
"""A drift counts over so many passes at least, as each may be a window."""
BLOCKS = 8
"""Into how many blocks passes are cut, to see where they are going."""
MEDIAN_ERROR = 1.2533 * math.sqrt(2)
"""Standard error of a difference of two medians of normal values, in those of one mean."""


class SteadyState:
    """Follows the passes of a warm-up and decides when it may end.

    Of all passes so far the later half is looked at (as Geweke 1992 does with
    chains): steady is a load whose two quarters there have medians that differ by
    no more than two standard errors, as told from the scatter of the passes about
    their trend, and by no less than 2 % and no more than 25 % of it. Of quarters that
    lie closer than five passes, the drift is taken to go on for five. Medians and
    absolute deviations forgive what a neighbour on the machine does to single passes.

    Short passes drift by little in what was seen of them, and by much while windows are
    measured. All passes but the first, their later half or their last quarter therefore show
    no trend: surely less than 2 % in that time, or, looked at for as long, none that is significant.
    """

    def __init__(self, *, least_s: float, limit_s: float, lasting_s: float = 0.0) -> None:
        """No pass was seen.

        Args:
            least_s: how long to go on at least, in seconds.
            limit_s: and how long at most.
            lasting_s: how long the windows will take; a trend is taken to go on for no longer
                than devices take to settle.
        """
        self._least_s, self._limit_s = least_s, limit_s
        self._lasting_s = lasting_s
        self._durations_s: list[float] = []
        self._elapsed_s = 0.0
        self._look_again_at = LEAST_PASSES
        self._holds = False
        self.decided = False
        """Whether the warm-up may end: steady, or out of time."""
        self.converged = False
        """Whether it was steady; meaningful once decided."""
        self.reason = "no pass was seen"
        """What was seen, in words."""
        self.criterion = Criterion(name="latency", holds=False, reason=self.reason)
        """What was seen when it was last looked at."""

    def add(self, duration_s: float, *, elsewhere: bool = True, elapsed_s: float = 0.0) -> None:
        """Take one more pass into account.

        Args:
            duration_s: how long it took, in seconds.
            elsewhere: whether all else is steady that is watched by somebody else.
            elapsed_s: since the warm-up began, where that is more than what passes took.
        """
        self._durations_s.append(duration_s)
        self._elapsed_s = max(self._elapsed_s + duration_s, elapsed_s)
        count = len(self._durations_s)
        if count >= self._look_again_at and self._elapsed_s >= self._least_s:
            self._look_again_at = count + max(count // 10, 1)
            self.criterion = self._judge()
            self._holds, self.reason = bool(self.criterion.holds), self.criterion.reason
        self.converged = self._holds and elsewhere
        self.decided = self.converged or self._elapsed_s >= self._limit_s
        if self.decided and not self.converged:
            self.criterion = self._judge()
            self.reason = self._why_not()

    def _judge(self) -> Criterion:
        count = len(self._durations_s)
        if count < LEAST_PASSES:
            passes = "1 pass" if count == 1 else f"{count} passes"
            reason = f"only {passes} in {self._elapsed_s:.1f} s, too few to see a trend"
            return Criterion(name="latency", holds=False, reason=reason)
        late = self._durations_s[count // 2 :]
        if not (centre := median(late)):
            reason = "passes take no measurable time"
            return Criterion(name="latency", holds=True, reason=reason)
        drift, noise = (value / centre for value in _drift(late))
        allowed = min(max(LEAST_DRIFT, noise), MOST_DRIFT)
        seen = f"passes of {centre:.3g} s drifted by {drift:.1%}, {allowed:.1%} allowed"
        if drift <= allowed and (going := self._going(centre)) is not None:
            return going
        return Criterion(
            name="latency", holds=drift <= allowed, value=drift, limit=allowed, reason=seen
        )

    def _going(self, centre_s: float) -> Criterion | None:
        """Where passes are going while windows are measured, if that is too far or unknown."""
        ahead_s = min(max(self._lasting_s, AHEAD * centre_s), SETTLING_S)
        count = len(self._durations_s)
        looked = [
            _trend_of(self._durations_s[first:], ahead_s)
            for first in (1, count // 2, count - count // 4)
            if count - first >= LEAST_POINTS
        ]
        if any(one.holds for one in looked):
            return None
        last = looked[-1]
        reason = (
            f"passes of {centre_s:.3g} s would change by {last.change:+.1%} ± {last.half_width:.1%} "
            f"in {ahead_s:.3g} s, {LEAST_DRIFT:.0%} allowed"
        )
        return Criterion(
            name="latency", holds=False, value=last.change, limit=LEAST_DRIFT, reason=reason
        )

    def _why_not(self) -> str:
        if len(self._durations_s) < LEAST_PASSES:
            return self.criterion.reason
        return f"not steady within {self._elapsed_s:.1f} s: {self.criterion.reason}"


class _Going(NamedTuple):
    """What passes would change by while windows are measured, relative to themselves."""

    change: float
    half_width: float
    """Of its 95 % interval."""
    holds: bool


def _trend_of(durations_s: Sequence[float], ahead_s: float) -> _Going:
    """The trend of some passes, taken to go on for so long."""
    count = min(BLOCKS, len(durations_s))
    edges = [len(durations_s) * number // count for number in range(count + 1)]
    ends_s = [0.0, *accumulate(durations_s)]
    middles_s = [(ends_s[a] + ends_s[b]) / 2 for a, b in pairwise(edges)]
    found = trend(middles_s, [fmean(durations_s[a:b]) for a, b in pairwise(edges)])
    scale = ahead_s / fmean(durations_s)
    long = ends_s[-1] >= ahead_s
    holds = found.farthest * scale <= LEAST_DRIFT or (long and not found.significant)
    return _Going(found.slope * scale, found.half_width * scale, holds)


def _drift(durations_s: Sequence[float]) -> tuple[float, float]:
    """By how much durations drift, and two standard errors of that, both in seconds.

    From one half to the other, or in :data:`AHEAD` passes where those are more. The scatter
    is that about the line through both medians, so that a trend does not excuse itself.
    """
    count, middle = len(durations_s), len(durations_s) // 2
    apart = count / 2
    per_pass = (median(durations_s[middle:]) - median(durations_s[:middle])) / apart
    levelled = [value - per_pass * number for number, value in enumerate(durations_s)]
    error = MEDIAN_ERROR * _scatter(levelled) / math.sqrt(middle)
    ahead = max(AHEAD / apart, 1.0)
    return abs(per_pass) * apart * ahead, 2 * error * ahead


def _scatter(residuals: Sequence[float]) -> float:
    """Standard deviation by the median deviation; a line has taken two degrees of freedom."""
    centre, count = median(residuals), len(residuals)
    deviation = median([abs(value - centre) for value in residuals])
    return 1.4826 * deviation * math.sqrt(count / (count - 2))
