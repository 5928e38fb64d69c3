"""A folder like the kernel's powercap, of zones that each draw a constant power."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RENEWED_S = 0.002
"""Time between two values of a counter, as far as the machine has time for them."""
ENDS = 2
"""Of a window, at either of which a value may be late."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A counter and what it counts."""

    name: str
    power_w: float
    range_uj: int = 262_143_328_850
    """Its counter begins anew after so much."""


@dataclass(slots=True)
class Powercap:
    """Renews counters for as long as it is entered.

    A thread does it, which a busy machine may leave waiting: values are then late, which no
    real counter's are. How late they came at most is kept for whoever judges figures by them.
    """

    root: Path
    zones: Mapping[str, Zone]
    """By their folders in *root*."""
    late_s: float = 0.0
    """The longest that a value was shown after the instant that it is of."""
    _started_s: float = field(default_factory=time.monotonic)
    _shown_s: dict[str, float] = field(default_factory=dict)
    """Of which instant the value is that each folder shows."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        for folder, zone in self.zones.items():
            (self.root / folder).mkdir(parents=True)
            (self.root / folder / "name").write_text(f"{zone.name}\n")
            (self.root / folder / "max_energy_range_uj").write_text(f"{zone.range_uj}\n")
        self._show()
        self._thread = threading.Thread(target=self._renew)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def late_j(self, power_w: float) -> float:
        """How far a window's energy may be off because values at its ends were late."""
        return ENDS * power_w * self.late_s

    def late_w(self, power_w: float, windows: Sequence[Mapping[str, Any]]) -> float:
        """The same of the mean power over stored windows."""
        counting = [window["duration_s"] for window in windows if window["valid"]]
        return len(counting) * self.late_j(power_w) / sum(counting)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_S):
            self._show()

    def _show(self) -> None:
        for folder, zone in self.zones.items():
            now_s = time.monotonic()
            used_uj = int((now_s - self._started_s) * zone.power_w * 1e6) % zone.range_uj
            (self.root / folder / "new").write_text(f"{used_uj}\n")
            os.replace(self.root / folder / "new", self.root / folder / "energy_uj")  # noqa: PTH105 - never half
            since_s = self._shown_s.get(folder, now_s)
            self.late_s = max(self.late_s, time.monotonic() - since_s)
            self._shown_s[folder] = now_s
