"""Several meters read at once, each by a sampler of its own, so that none waits for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.sampling.sampler import Sampler
    from pytest_llem.energy.sampling.trace import Trace


class Samplers:
    """Samplers as one; what decides when windows end is the first one's alone."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        """At least one."""
        self._all = tuple(samplers)
        self._first = self._all[0]

    @property
    def traces(self) -> tuple[Trace, ...]:
        """Of all, in order."""
        return tuple(trace for sampler in self._all for trace in sampler.traces)

    @property
    def lost(self) -> bool:
        """Whether a device of the first cannot be read now."""
        return self._first.lost

    def start(self) -> None:
        for sampler in self._all:
            sampler.start()

    def stop(self) -> None:
        for sampler in self._all:
            sampler.stop()

    def attend(self, on: bool) -> None:
        for sampler in self._all:
            sampler.attend(on)

    def read_until_ns(self) -> int | None:
        """The instant up to which all have been read; ``None`` before the first readings."""
        ends = [end for sampler in self._all if (end := sampler.read_until_ns()) is not None]
        return min(ends, default=None)

    def settled_after(self, time_ns: int) -> bool:
        """Whether enough was read of every device to tell its energy up to *time_ns*."""
        return all(sampler.settled_after(time_ns) for sampler in self._all)

    def refreshed_after(self, time_ns: int) -> bool:
        return self._first.refreshed_after(time_ns)

    def latest_power_w(self) -> float | None:
        """Power now, of the headline's scope."""
        return self._first.latest_power_w()
