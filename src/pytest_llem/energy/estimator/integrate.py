"""Energy from power readings alone."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.refreshes.placing import Refreshes
from pytest_llem.energy.estimator.refreshes.refresh import observe
from pytest_llem.energy.estimator.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.readings import Readings

SECOND_NS = 1e9
STEPS_W = (1.0, 0.1, 0.01)
"""Steps in which power may be told, as its values show; else it is told in milliwatts."""
LEAST_STEP_W = 1e-3
STEP_SHARE = 1e-6
"""Of a step; so near to a whole number is one."""
MOST_UNSURE = 0.25
"""A reading so near to a refresh, in periods, may show what it brought or what the one before did,
as far as it is not known when it was."""


class Integral(NamedTuple):
    """Energy from integrated power, and its standard deviation, in joules."""

    energy_j: float
    deviation_j: float


class Power:
    """Power readings as a staircase: each value stands from its refresh to the next.

    Args:
        readings: that all gave a power.
        period_ns: time between refreshes, where it is known from more than these.
        exact: whether it is known exactly.
    """

    def __init__(
        self, readings: Readings, period_ns: float | None = None, *, exact: bool = False
    ) -> None:
        seen = observe(readings.before_ns, readings.after_ns, readings.power_w)
        refreshes = Refreshes(seen, period_ns, exact=exact)
        self.period_ns = refreshes.period_ns
        """Time from one power reading to the next; ``None`` if the value never changed."""
        self._end_ns = readings.after_ns[-1]
        self._powers_w = readings.power_w
        self._step_w = _step_w(readings.power_w)
        calls = zip(readings.before_ns, readings.after_ns, strict=True)
        self._looks_ns = [(before + after) / 2 for before, after in calls]
        placed = [refreshes[i] for i in range(len(refreshes))]
        self._samples = self._each_refresh([Sample(p.time_ns, p.value, p.half_ns) for p in placed])
        self._steps = [Sample(float(readings.before_ns[0]), readings.power_w[0])]
        for sample in self._samples:
            if sample.power_w != self._steps[-1].power_w:
                self._steps.append(sample)
        self._times_ns = [step.time_ns for step in self._steps]
        self._until_j = _cumulate(self._steps)

    @property
    def period_s(self) -> float | None:
        """The same in seconds."""
        return None if self.period_ns is None else self.period_ns / SECOND_NS

    def samples(self) -> list[Sample]:
        """One sample per refresh of which a value was read, whether it had changed or not."""
        return self._samples if self.period_ns is not None else []

    def _each_refresh(self, changes: Sequence[Sample]) -> list[Sample]:
        """Refreshes that brought another value, and those between them by what they showed.

        Nobody knows what a refresh brought that was not looked at before the next.
        """
        if self.period_ns is None or not changes:
            return list(changes)
        found: list[Sample] = []
        ends_ns = [*(change.time_ns for change in changes[1:]), self._last_end_ns(changes[-1])]
        for change, end_ns in zip(changes, ends_ns, strict=True):
            found.append(change)
            gap_ns = end_ns - change.time_ns
            count = max(round(gap_ns / self.period_ns), 1)
            times_ns = [change.time_ns + i * gap_ns / count for i in range(1, count + 1)]
            unsure_ns = min(change.half_ns, MOST_UNSURE * self.period_ns)
            for start_ns, stop_ns in pairwise(times_ns):
                power_w = self._shown_w(start_ns + unsure_ns, stop_ns - unsure_ns)
                if power_w is not None:
                    found.append(change._replace(time_ns=start_ns, power_w=power_w))
        return found

    def _last_end_ns(self, last: Sample) -> float:
        """Where the last value would be followed by the next, at whole periods."""
        period_ns = self.period_ns or 0.0
        count = max(math.ceil((self._end_ns - last.time_ns) / period_ns - 0.5), 1)
        return last.time_ns + count * period_ns

    def _shown_w(self, start_ns: float, stop_ns: float) -> float | None:
        """What was read nearest to the middle between two instants; ``None`` without a look."""
        middle_ns = (start_ns + stop_ns) / 2
        after = bisect_right(self._looks_ns, middle_ns)
        near = [
            (abs(self._looks_ns[i] - middle_ns), self._powers_w[i])
            for i in (after - 1, after)
            if 0 <= i < len(self._looks_ns) and start_ns < self._looks_ns[i] < stop_ns
        ]
        return min(near)[1] if near else None

    def integral(self, start_ns: int, end_ns: int, averaging_s: float | None) -> Integral | None:
        """Energy between two instants; ``None`` where the readings do not reach.

        A value is shown for a refresh period and speaks of the time before it, so the
        staircase is read late by half of both. The deviation is that of a mean of
        samples, by how they scatter about their neighbours, of not knowing what
        the readings average over, and of the step in which power is told; a load in
        step with the sampling can be worse.
        """
        period_ns = self.period_ns or 0.0
        averaging_ns = period_ns / 4 if averaging_s is None else averaging_s * SECOND_NS
        late_ns = (period_ns + averaging_ns) / 2
        if start_ns < self._times_ns[0] or end_ns + late_ns > self._end_ns + 1.5 * period_ns:
            return None
        energy_j = self._until(end_ns + late_ns) - self._until(start_ns + late_ns)
        inside = self._between(start_ns, end_ns + late_ns)
        bends = [b - (a + c) / 2 for a, b, c in zip(inside, inside[1:], inside[2:], strict=False)]
        scatter_w = math.sqrt(fmean(bend * bend for bend in bends) / 1.5) if bends else 0.0
        unseen = 1 - min(averaging_ns / period_ns, 1.0) if period_ns else 0.0
        sampling_j = scatter_w * period_ns / SECOND_NS * math.sqrt(len(inside)) * unseen
        edges_j = abs(inside[-1] - inside[0]) * period_ns / SECOND_NS / math.sqrt(12)
        told_j = self._step_w / math.sqrt(12) * (end_ns - start_ns) / SECOND_NS
        return Integral(
            energy_j, math.hypot(sampling_j, edges_j, scatter_w * period_ns / SECOND_NS, told_j)
        )

    def _until(self, t_ns: float) -> float:
        number = max(bisect_right(self._times_ns, t_ns) - 1, 0)
        step = self._steps[number]
        return self._until_j[number] + step.power_w * (t_ns - step.time_ns) / SECOND_NS

    def _between(self, start_ns: float, end_ns: float) -> list[float]:
        """Values from the one that stands at the start to the one that stands at the end."""
        first = max(bisect_right(self._times_ns, start_ns) - 1, 0)
        last = bisect_right(self._times_ns, end_ns)
        return [step.power_w for step in self._steps[first:last]]


def _step_w(powers_w: Sequence[float]) -> float:
    """The widest of the usual steps that all of the readings are whole multiples of."""
    for step_w in STEPS_W:
        if all(
            abs(power_w / step_w - round(power_w / step_w)) < STEP_SHARE for power_w in powers_w
        ):
            return step_w
    return LEAST_STEP_W


def _cumulate(steps: Sequence[Sample]) -> list[float]:
    total, sums = 0.0, [0.0]
    for a, b in pairwise(steps):
        total += a.power_w * (b.time_ns - a.time_ns) / SECOND_NS
        sums.append(total)
    return sums
