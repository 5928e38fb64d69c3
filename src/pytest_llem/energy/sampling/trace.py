"""Everything that was read from one device, in columns."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_llem.devices.meter import Device, Facts, Reading


UNPARTED = -1
"""Stands in a trace for an instant between two calls that is not known."""


def _integers() -> array[int]:
    return array("q")


def _floats() -> array[float]:
    return array("d")


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.nan


class Loss(NamedTuple):
    """A time in which a device could not be read."""

    start_ns: int
    """When the first call that failed began."""
    end_ns: int | None
    """When a reading came back; ``None`` if none did."""
    text: str
    """Why, as a sentence."""

    def touches(self, start_ns: int, end_ns: int) -> bool:
        """Whether it has a part between two instants."""
        return self.start_ns <= end_ns and (self.end_ns is None or self.end_ns >= start_ns)


@dataclass(slots=True)
class Trace:
    """Readings of one device in the order they were taken.

    Columns of equal length; a missing value is NaN. One thread appends while
    others may read: a reader must take ``len(trace)`` first and look no further.
    """

    device: Device
    meter: str
    before_ns: array[int] = field(default_factory=_integers)
    after_ns: array[int] = field(default_factory=_integers)
    energy_j: array[float] = field(default_factory=_floats)
    power_w: array[float] = field(default_factory=_floats)
    between_ns: array[int] = field(default_factory=_integers)
    """Where the energy's call ended and the power's began; ``UNPARTED`` where nobody knows."""
    facts: list[Facts] = field(default_factory=list)
    loss: str = ""
    """Why the device could not be read any more, as a sentence; empty if it always could."""
    losses: list[Loss] = field(default_factory=list)
    """When it could not be read, in order; empty in traces that were stored without."""

    def append(self, reading: Reading) -> None:
        self.before_ns.append(reading.before_ns)
        self.energy_j.append(_finite(reading.energy_j))
        self.power_w.append(_finite(reading.power_w))
        self.between_ns.append(UNPARTED if reading.between_ns is None else reading.between_ns)
        self.after_ns.append(reading.after_ns)  # last: its length is the trace's

    def lose(self, start_ns: int, text: str) -> None:
        """The device cannot be read since *start_ns*, or still not."""
        self.loss = text
        if not self.losses or self.losses[-1].end_ns is not None:
            self.losses.append(Loss(start_ns, None, text))

    def regain(self, end_ns: int) -> None:
        """It was read again, if it had been lost."""
        if self.losses and self.losses[-1].end_ns is None:
            self.losses[-1] = self.losses[-1]._replace(end_ns=end_ns)

    def parted_ns(self, part: slice) -> list[int | None]:
        """Where the calls of some readings were parted; ``None`` where nobody knows."""
        return [None if instant == UNPARTED else instant for instant in self.between_ns[part]]

    def until(self, time_ns: int) -> Trace:
        """What had been read by an instant."""
        count = bisect_right(self.after_ns, time_ns, 0, len(self))
        losses = [
            loss if loss.end_ns is None or loss.end_ns <= time_ns else loss._replace(end_ns=None)
            for loss in self.losses
            if loss.start_ns <= time_ns
        ]
        return Trace(
            device=self.device,
            meter=self.meter,
            before_ns=self.before_ns[:count],
            after_ns=self.after_ns[:count],
            energy_j=self.energy_j[:count],
            power_w=self.power_w[:count],
            between_ns=self.between_ns[:count],
            facts=[fact for fact in self.facts if fact.time_ns <= time_ns],
            loss=self.loss if losses or not self.losses else "",
            losses=losses,
        )

    def __len__(self) -> int:
        return len(self.after_ns)
