"""What was odd about the readings of a window, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.repair import readings_said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.estimator.readings import Readings
    from pytest_llem.energy.estimator.repair import Note
    from pytest_llem.energy.sampling.trace import Trace

NEAR_NS = 500_000_000
"""What is mended so near to an edge can move a window's energy."""
SLOW_NS = 20_000_000
"""A driver's call takes a millisecond at most; one that takes so long hides refreshes."""


def notes_of(mended: Sequence[Note], start_ns: int, end_ns: int) -> Iterator[str]:
    """What was mended in a window or beside it; leaps that came back are counted."""
    near = [note for note in mended if start_ns - NEAR_NS <= note.time_ns <= end_ns + NEAR_NS]
    leaps = [note for note in near if note.left_out]
    for note in near:
        if not note.left_out or len(leaps) == 1:
            yield note.text.format(when=when(note.time_ns, start_ns, end_ns))
    if len(leaps) > 1:
        far_j = max((note.leap_j for note in leaps), key=abs)
        yield (
            f"the energy counter leapt {len(leaps)} times by up to {far_j:.6g} J, first "
            f"{when(leaps[0].time_ns, start_ns, end_ns)}, and came back; "
            f"{readings_said(sum(note.left_out for note in leaps))} left out"
        )


def calls_of(readings: Readings, start_ns: int, end_ns: int) -> Iterator[str]:
    """Calls of the driver inside a window that took long or answered nothing."""
    inside = [
        i
        for i, (before, after) in enumerate(zip(readings.before_ns, readings.after_ns, strict=True))
        if after > start_ns and before < end_ns
    ]
    slow = [readings.after_ns[i] - readings.before_ns[i] for i in inside]
    slow = [took for took in slow if took > SLOW_NS]
    if slow:
        calls = "1 driver call" if len(slow) == 1 else f"{len(slow)} driver calls"
        yield f"{calls} took longer than {SLOW_NS / 1e6:g} ms, up to {max(slow) / 1e6:.0f} ms"
    for name, column in (("energy", readings.energy_j), ("power", readings.power_w)):
        missing = sum(math.isnan(column[i]) for i in inside)
        if 0 < missing < len(inside):
            yield f"{missing} of {len(inside)} readings gave no {name}, or zero, which is no answer"


def losses_of(trace: Trace, start_ns: int, end_ns: int, *, valid: bool) -> Iterator[str]:
    """When the device of a window could not be read; a loss just beside it may explain why it is invalid."""
    if not trace.losses and trace.loss and not valid:  # as in traces that were stored without times
        yield trace.loss
    near_ns = 0 if valid else NEAR_NS
    for loss in trace.losses:
        if loss.touches(start_ns - near_ns, end_ns + near_ns):
            since = when(loss.start_ns, start_ns, end_ns)
            seconds = None if loss.end_ns is None else (loss.end_ns - loss.start_ns) / 1e9
            lasted = "" if seconds is None else f" for {seconds:.2f} s"
            yield f"it could not be read{lasted}, from {since} on: {loss.text}"


def when(time_ns: int, start_ns: int, end_ns: int) -> str:
    """An instant as a time into a window, before or after it."""
    if time_ns < start_ns:
        return f"{(start_ns - time_ns) / 1e9:.2f} s before the window"
    if time_ns > end_ns:
        return f"{(time_ns - end_ns) / 1e9:.2f} s after the window"
    return f"{(time_ns - start_ns) / 1e9:.2f} s into the window"
