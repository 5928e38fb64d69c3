"""What devices draw while they wait, with the model loaded and nothing to do.

Taken after loading, since a CUDA context alone adds tens of watts. A device is only idle
while its power is flat: work of somebody else, or of the experiment before, is no idling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.marks import Idle
from pytest_llem.energy.scopes import headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.sampling.trace import Trace

LEAD_NS = 400_000_000
"""Left out at first: loading ends, and the refresh of the counter is learnt."""
CONFIRM_NS = 400_000_000
"""How long it takes to see that a known idle power still holds."""
LONGEST_NS = 3_000_000_000
"""How much longer than asked for is waited for readings."""
ALIKE = 0.03
"""Powers that differ by less are the same."""
SIGMAS = 2.0
"""And powers that differ by no more half-widths of their intervals."""


class Sampling(Protocol):
    """What is needed of ``energy.sampling.sampler.Sampler``."""

    @property
    def traces(self) -> tuple[Trace, ...]: ...

    def attend(self, on: bool) -> None: ...

    def settled_after(self, time_ns: int) -> bool: ...


@dataclass(slots=True)
class IdleWatch:
    """Watches devices idle: briefly where it is known what they draw, else as long as asked."""

    sampling: Sampling
    known: dict[tuple[str, ...], Idle]
    """Idle powers by the devices' UUIDs, shared by the experiments of a run."""
    least_ns: int
    """How long to look where nothing is known."""
    found: Idle | None = None
    _end_ns: int | None = None

    def done(self, since_ns: int, now_ns: int) -> bool:
        """Whether enough was seen since the devices idle."""
        traces = headline(self.sampling.traces)
        if any(trace.device.capability.method == "estimated" for trace in traces):
            self.found = Idle(reason="an estimate from CPU time knows nothing of idling")
            return True
        if self._end_ns is None:
            self.sampling.attend(on=True)
            self._end_ns = since_ns + LEAD_NS + self._look_ns()
        late = now_ns > self._end_ns + LONGEST_NS
        if now_ns < self._end_ns or not (late or self.sampling.settled_after(self._end_ns)):
            return False
        seen = idle_power(traces, since_ns + LEAD_NS, self._end_ns)
        known = self.known.get(self._devices())
        if known is not None and not late and _same(known, seen):
            self.found = known.model_copy(update={"confirmed": True})
            return True
        if known is not None and not late:  # it no longer holds: look as long as asked
            del self.known[self._devices()]
            self._end_ns = since_ns + LEAD_NS + self.least_ns
            return self.done(since_ns, now_ns)
        if seen.power_w is not None:
            self.known[self._devices()] = seen
        self.found = seen
        return True

    def _look_ns(self) -> int:
        return min(CONFIRM_NS, self.least_ns) if self._devices() in self.known else self.least_ns

    def _devices(self) -> tuple[str, ...]:
        return tuple(trace.device.uuid for trace in headline(self.sampling.traces))


def idle_power(traces: Sequence[Trace], start_ns: int, end_ns: int) -> Idle:
    """Power of all devices between two instants, if it was flat."""
    middle_ns = (start_ns + end_ns) // 2
    spans = ((start_ns, end_ns), (start_ns, middle_ns), (middle_ns, end_ns))
    whole, first, second = (_power(traces, *span) for span in spans)
    if whole is None or first is None or second is None:
        return Idle(reason="the devices could not be read while they idled")
    if not _alike(first, second):
        return Idle(
            reason=f"power was not flat: {first[0]:.1f} W, then {second[0]:.1f} W, so the devices "
            "did not idle"
        )
    seconds = (end_ns - start_ns) / 1e9
    return Idle(
        power_w=whole[0],
        power_uncertainty_w=whole[1],
        reason=f"over {seconds:.2g} s, with the model loaded and nothing to do",
    )


def _power(traces: Sequence[Trace], start_ns: int, end_ns: int) -> tuple[float, float] | None:
    """Mean power and the half-width of its 95 % interval, in watts."""
    seconds = (end_ns - start_ns) / 1e9
    power_w, square_w2 = 0.0, 0.0
    for trace in traces:
        window = estimate_window(trace, start_ns, end_ns)
        if window.energy_j is None or window.uncertainty_j is None:
            return None
        power_w += window.energy_j / seconds
        square_w2 += (window.uncertainty_j / seconds) ** 2
    return power_w, math.sqrt(square_w2)


def _same(known: Idle, seen: Idle) -> bool:
    if known.power_w is None or seen.power_w is None:
        return False
    return _alike(
        (known.power_w, known.power_uncertainty_w or 0.0),
        (seen.power_w, seen.power_uncertainty_w or 0.0),
    )


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    allowed_w = max(ALIKE * one[0], SIGMAS * math.hypot(one[1], other[1]))
    return abs(one[0] - other[0]) <= allowed_w
