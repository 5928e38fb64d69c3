"""Does the energy counter see all of the time, or a quarter of it?

On A100 and H100 the power reading is refreshed every 100 ms and looks at 25 ms of them (Yang,
Adamek and Armour, arXiv 2312.02741). Whether the energy counter is made from the same 25 ms is
not published. A load that is busy for a quarter of each period, in step with the refreshes,
tells: shift it against them, and what looks at all of the time shows the same at every shift,
while what looks at a part shows more where the part and the burst coincide.

The answer is the first harmonic of mean power over the shift. A load of square bursts (a share
D of the time, swing S) has the harmonic ``A0 = S·(2/π)·sin(πD)``; looking at a share s of each
period leaves ``sin(πs)/(πs)`` of it. S needs no second instrument: over all shifts together
every instrument sees the true mean, which lies ``D·S`` above the power between bursts.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gpu.findings import UNDECIDED, CannotRunError, Finding, quantile, summary_of
from gpu.recording import MS, SECOND, column
from pytest_llem.energy.student import student_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu.load import Burst, Load
    from gpu.recording import Recorder
    from pytest_llem.energy.sampling.trace import Trace

CHECK = "counter under bursts"
SHARE_ON = 0.25
SETTLE_PERIODS = 3
"""Periods at the start of a block that are not evaluated."""
LOOK_BACK_NS = 4 * SECOND
LEAD_NS = 60 * MS
"""Time to send the order for a block."""
POLL_NS = 500_000
VISIBLE = 0.25
"""Least share of the load's own harmonic by which a power reading counts as looking at a part."""
LEAST_RISE = 0.1
"""Least rise of mean power over that between bursts, as a share: a load that is not seen tells
nothing."""
ALL_BELOW, PART_ABOVE = 0.30, 0.75
"""Shares of the harmonic: one that looks at three quarters of the time or more keeps less than
the former, one that looks at two fifths or less keeps more than the latter."""


@dataclass(frozen=True, slots=True)
class Block:
    """The load at one shift."""

    shift: float
    """Of the bursts against the refreshes, as a share of the period."""
    counter_w: float
    """Mean power by the energy counter, from refresh to refresh over whole periods."""
    shown_w: tuple[float, ...]
    """Power readings, one a refresh."""
    bursts: tuple[Burst, ...] = field(repr=False)

    @property
    def reading_w(self) -> float:
        return fmean(self.shown_w)


@dataclass(frozen=True, slots=True)
class Harmonic:
    """First harmonic over the shift, as a share of that of the load."""

    share: float
    low: float
    high: float

    @property
    def seen(self) -> tuple[float, float, float]:
        """Share of the time that is looked at: best value, and the 95 % interval."""
        return tuple(map(looked_at, (self.share, self.high, self.low)))  # type: ignore[return-value]


def duty(  # noqa: PLR0913 - the parties, and how long
    recorder: Recorder,
    load: Load,
    trace: Trace,
    period_ns: float,
    *,
    shifts: int = 8,
    repeats: int = 3,
    periods: int = 22,
) -> Finding:
    """Bursts at *shifts* shifts, each *repeats* times in an order of chance.

    A block at one shift lasts *periods* of the load, each *period_ns* long, as the time between
    refreshes was seen to be.

    Raises:
        CannotRunError: the counter or the power reading says nothing.
    """
    idle_w = _idle_w(recorder, trace)
    order = [shift for _ in range(repeats) for shift in range(shifts)]
    random.Random(0).shuffle(order)  # noqa: S311 - any order will do, the same each time
    blocks = []
    for number in order:
        shift = number / shifts
        start_ns = _instant(recorder, trace, period_ns, shift)
        load.square(start_ns, period_ns, round(SHARE_ON * period_ns), periods)
        recorder.record(trace, start_ns + round(periods * period_ns), POLL_NS)
        block = _block(trace, shift, start_ns, period_ns, load.wait())
        if block is not None:
            blocks.append(block)
    if len({block.shift for block in blocks}) < shifts or len(blocks) < len(order) / 2:
        raise CannotRunError("counter and power reading were not seen at every shift")
    return judged(blocks, period_ns, idle_w)


def judged(blocks: Sequence[Block], period_ns: float, idle_w: float) -> Finding:
    """What the blocks say."""
    ons = [(end - start) / MS for block in blocks for start, end in block.bursts]
    on = fmean(ons) * MS / period_ns
    readings = [block.reading_w for block in blocks]
    shifts = [block.shift for block in blocks]
    reading = harmonic(shifts, readings, idle_w, on)
    low_w = idle_w
    if reading.low > VISIBLE:  # then single readings show the power between bursts
        low_w = max(idle_w, quantile([w for block in blocks for w in block.shown_w], 0.05))
        reading = harmonic(shifts, readings, low_w, on)
    counter = harmonic(shifts, [block.counter_w for block in blocks], low_w, on)
    counted_w = fmean(block.counter_w for block in blocks)
    if counted_w < (1 + LEAST_RISE) * idle_w:
        said = f"bursts raise the power only from {idle_w:.0f} to {counted_w:.0f} W"
        return Finding(CHECK, f"undecided: {said}", UNDECIDED)
    outcome, answer = _answer(counter)
    figures = {
        "period_ms": period_ns / MS,
        "on_ms": summary_of(ons),
        "between_bursts_w": low_w,
        "counter": _told(counter),
        "power_reading": _told(reading),
        "counter_over_reading": counted_w / fmean(readings),
        "blocks": [
            {"shift": b.shift, "counter_w": b.counter_w, "reading_w": b.reading_w} for b in blocks
        ],
        "bursts_ns": [list(burst) for block in blocks for burst in block.bursts],
    }
    verdict = (
        f"{answer}: keeps {counter.share:.2f} [{counter.low:.2f}, {counter.high:.2f}] of the "
        f"load's swing (1 sees an instant, 0.90 a quarter, 0 all), the power reading "
        f"{reading.share:.2f} [{reading.low:.2f}, {reading.high:.2f}]"
    )
    return Finding(CHECK, verdict, outcome, figures)


def harmonic(
    shifts: Sequence[float], powers_w: Sequence[float], low_w: float, on: float
) -> Harmonic:
    """First harmonic of *powers_w* over *shifts* as a share of the load's own.

    The interval comes from how repeats at the same shift scatter; where there are none, from
    what the harmonic leaves over.
    """
    count, mean_w = len(shifts), fmean(powers_w)
    turns = [math.tau * shift for shift in shifts]
    cosine = 2 * math.fsum(w * math.cos(a) for a, w in zip(turns, powers_w, strict=True)) / count
    sine = 2 * math.fsum(w * math.sin(a) for a, w in zip(turns, powers_w, strict=True)) / count
    fitted = [mean_w + cosine * math.cos(a) + sine * math.sin(a) for a in turns]
    variance_w2, degrees = _scatter(shifts, powers_w, fitted)
    half_w = student_95(degrees) * math.sqrt(variance_w2 * 2 / count)
    swing_w = max(mean_w - low_w, 1e-9) / on
    own_w = swing_w * 2 / math.pi * math.sin(math.pi * on)
    amplitude_w = math.hypot(cosine, sine)
    return Harmonic(
        amplitude_w / own_w, max(amplitude_w - half_w, 0.0) / own_w, (amplitude_w + half_w) / own_w
    )


def looked_at(share: float) -> float:
    """Share s of the period for which ``sin(πs)/(πs)`` is *share*, by halving; 0 to 1."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        kept = math.sin(math.pi * middle) / (math.pi * middle)
        low, high = (middle, high) if kept > share else (low, middle)
    return (low + high) / 2


def _scatter(
    shifts: Sequence[float], powers_w: Sequence[float], fitted_w: Sequence[float]
) -> tuple[float, int]:
    """Variance of one power among repeats, and its degrees of freedom."""
    groups: dict[float, list[float]] = {}
    for shift, power_w in zip(shifts, powers_w, strict=True):
        groups.setdefault(shift, []).append(power_w)
    degrees = sum(len(group) - 1 for group in groups.values())
    if degrees:
        spread = [(w - fmean(group)) ** 2 for group in groups.values() for w in group]
        return math.fsum(spread) / degrees, degrees
    left = [(w - f) ** 2 for w, f in zip(powers_w, fitted_w, strict=True)]
    return math.fsum(left) / max(len(left) - 3, 1), max(len(left) - 3, 1)


def _answer(counter: Harmonic) -> tuple[str, str]:
    best, low, high = (100 * seen for seen in counter.seen)
    told = f"about {best:.0f} % of the time [{low:.0f}, {high:.0f}]"
    if counter.high < ALL_BELOW:
        return "found", f"the counter sees all of the time ({told})"
    if counter.low > PART_ABOVE:
        return "found", f"the counter sees only a part, {told}"
    return UNDECIDED, f"undecided; the counter sees {told}"


def _told(found: Harmonic) -> dict[str, Any]:
    best, low, high = found.seen
    return {
        "harmonic": found.share,
        "harmonic_95": [found.low, found.high],
        "share_of_time_seen": best,
        "share_of_time_seen_95": [low, high],
    }


def _idle_w(recorder: Recorder, trace: Trace) -> float:
    start_ns = recorder.clock()
    recorder.record_for(trace, 1.0, POLL_NS)
    power_w = _counter_w(trace, start_ns, recorder.clock(), 0.0)
    if power_w is None:
        raise CannotRunError("the energy counter was not seen to refresh")
    return power_w


def _instant(recorder: Recorder, trace: Trace, period_ns: float, shift: float) -> int:
    """When a block is to begin: soon, and so far after a refresh."""
    recorder.record_for(trace, 0.2, POLL_NS)
    now_ns = recorder.clock()
    for name in ("power_w", "energy_j"):
        refreshes = column(trace, name, now_ns - LOOK_BACK_NS).refreshes()
        if len(refreshes):
            last_ns = refreshes[len(refreshes) - 1].time_ns + shift * period_ns
            ahead = math.ceil((now_ns + LEAD_NS - last_ns) / period_ns)
            return round(last_ns + ahead * period_ns)
    raise CannotRunError("neither counter nor power reading was seen to refresh")


def _block(
    trace: Trace, shift: float, start_ns: int, period_ns: float, bursts: list[Burst]
) -> Block | None:
    first_ns = start_ns + round(SETTLE_PERIODS * period_ns)
    last_ns = start_ns + round(len(bursts) * period_ns)
    counter_w = _counter_w(trace, first_ns, last_ns, period_ns)
    shown = column(trace, "power_w", first_ns, last_ns)
    values = _one_a_period(shown.before_ns, shown.values, period_ns)
    if counter_w is None or not values:
        return None
    return Block(shift, counter_w, tuple(values), tuple(bursts))


def _counter_w(trace: Trace, start_ns: int, end_ns: int, period_ns: float) -> float | None:
    """Mean power between two refreshes of the counter, as nearly whole periods apart as any."""
    part = column(trace, "energy_j", start_ns, end_ns)
    placed = part.refreshes()
    points = [placed[number] for number in range(len(placed))]
    if len(points) < 2:
        return None
    first, late = points[0], [p for p in points[1:] if p.time_ns >= points[-1].time_ns - period_ns]
    last = min(late, key=lambda p: abs(math.remainder(p.time_ns - first.time_ns, period_ns or 1)))
    return (last.value - first.value) / (last.time_ns - first.time_ns) * SECOND


def _one_a_period(
    times_ns: Sequence[int], values: Sequence[float], period_ns: float
) -> list[float]:
    """Readings a period apart, so that each refresh counts once even if two show the same."""
    if not len(times_ns):
        return []
    wanted, taken = float(times_ns[0]), []
    for (a, b), value in zip(pairwise([*times_ns, times_ns[-1] + 1]), values, strict=True):
        if a <= wanted < b and not math.isnan(value):
            taken.append(value)
        if wanted < b:
            wanted += period_ns
    return taken
