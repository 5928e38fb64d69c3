"""How fast a run gets on, and so how long it will still take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Pace:
    """Of the processes that a run plans; those that adaptive gates add are not known before."""

    planned: int
    clock: Callable[[], int] = time.monotonic_ns
    _ended: int = 0
    _timed: int = 0
    _spent_ns: int = 0
    _since_ns: int | None = None

    def begin(self) -> None:
        """A process is about to run."""
        self._since_ns = self.clock()

    def end(self, *, told_again: bool) -> None:
        """It has ended, or had before the run was resumed, which takes no time."""
        since_ns, self._since_ns = self._since_ns, None
        self._ended += 1
        if since_ns is not None and not told_again:
            self._timed += 1
            self._spent_ns += self.clock() - since_ns

    def left_s(self) -> float | None:
        """Seconds until all have ended, if they take as long as those before; ``None`` is unknown."""
        left = self.planned - self._ended
        if not self._timed or left <= 0:
            return None
        each_s = self._spent_ns / self._timed / 1e9
        under_way_s = 0.0 if self._since_ns is None else (self.clock() - self._since_ns) / 1e9
        return (left - 1) * each_s + max(each_s - under_way_s, 0.0)
