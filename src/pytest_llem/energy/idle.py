"""What devices draw while they wait, with the model loaded and nothing to do.

Taken after loading, since a CUDA context alone adds tens of watts. A device is only idle
while its power is flat: work of somebody else, or of the experiment before, is no idling.

A little it may move, in a look and from one to the next, since a die that cools draws less. By
how much it did is in the interval, so that this holds for what the devices draw now.
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


Known = dict[str, Idle]
"""What each of the devices of a run draws, by UUID."""


@dataclass(slots=True)
class IdleWatch:
    """Watches devices idle: briefly where it is known what they draw, else as long as asked."""

    sampling: Sampling
    known: Known
    """Shared by the experiments of a run."""
    least_ns: int
    """How long to look where nothing is known."""
    found: Idle | None = None
    _since_ns: int | None = None
    _end_ns: int | None = None

    def done(self, since_ns: int, now_ns: int) -> bool:
        """Whether enough was seen since the devices idle; a later *since_ns* is another look."""
        if since_ns != self._since_ns:  # the model was loaded again, as by a test that is rerun
            self._since_ns, self._end_ns, self.found = since_ns, None, None
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
        seen = {
            trace.device.uuid: idle_power(trace, since_ns + LEAD_NS, self._end_ns)
            for trace in traces
        }
        if not late and self._all_known():
            return self._checked(seen, since_ns, now_ns)
        self.known |= {uuid: one for uuid, one in seen.items() if one.power_w is not None}
        self.found = _together(list(seen.values()))
        return True

    def _checked(self, seen: Known, since_ns: int, now_ns: int) -> bool:
        """Whether what is known still holds; else it is looked at for as long as asked."""
        changed = [uuid for uuid, one in seen.items() if not _same(self.known[uuid], one)]
        if not changed:
            found = _together([_held(self.known[uuid], one) for uuid, one in seen.items()])
            self.found = found.model_copy(update={"confirmed": True})
            return True
        for uuid in changed:
            del self.known[uuid]
        self._end_ns = since_ns + LEAD_NS + self.least_ns
        return self.done(since_ns, now_ns)

    def _look_ns(self) -> int:
        return min(CONFIRM_NS, self.least_ns) if self._all_known() else self.least_ns

    def _all_known(self) -> bool:
        return all(trace.device.uuid in self.known for trace in headline(self.sampling.traces))


def idle_power(trace: Trace, start_ns: int, end_ns: int) -> Idle:
    """Power of a device between two instants, if it was flat and nobody else computed there."""
    middle_ns = (start_ns + end_ns) // 2
    spans = ((start_ns, end_ns), (start_ns, middle_ns), (middle_ns, end_ns))
    whole, first, second = (_power(trace, *span) for span in spans)
    if whole is None or first is None or second is None:
        return Idle(reason="the devices could not be read while they idled")
    if others := _others(trace, start_ns, end_ns):
        numbers = ", ".join(map(str, others))
        return Idle(reason=f"{trace.device.uuid} computed for others meanwhile: {numbers}")
    if not _alike(first, second):
        return Idle(
            reason=f"power was not flat: {first[0]:.1f} W, then {second[0]:.1f} W, so the devices "
            "did not idle"
        )
    seconds = (end_ns - start_ns) / 1e9
    return Idle(
        power_w=whole[0],
        power_uncertainty_w=whole[1] + abs(first[0] - second[0]),
        reason=f"over {seconds:.2g} s, with the model loaded and nothing to do",
    )


def _together(devices: Sequence[Idle]) -> Idle:
    """Devices as one; why nothing is known of them where it is not of one.

    Half-widths are added: what moves idle power, such as the load before, moves all alike.
    """
    for one in devices:
        if one.power_w is None:
            return one
    return Idle(
        power_w=math.fsum(one.power_w or 0.0 for one in devices),
        power_uncertainty_w=math.fsum(one.power_uncertainty_w or 0.0 for one in devices),
        reason=devices[0].reason,
    )


def _others(trace: Trace, start_ns: int, end_ns: int) -> list[int]:
    """Processes that are not the experiment's, by number."""
    looks = [fact for fact in trace.facts if start_ns <= fact.time_ns <= end_ns]
    return sorted({pid for fact in looks for pid in fact.foreign_processes or ()})


def _power(trace: Trace, start_ns: int, end_ns: int) -> tuple[float, float] | None:
    """Mean power and the half-width of its 95 % interval, in watts."""
    seconds = (end_ns - start_ns) / 1e9
    window = estimate_window(trace, start_ns, end_ns)
    if window.energy_j is None or window.uncertainty_j is None:
        return None
    return window.energy_j / seconds, window.uncertainty_j / seconds


def _same(known: Idle, seen: Idle) -> bool:
    one, other = _told(known), _told(seen)
    return one is not None and other is not None and _alike(one, other)


def _held(known: Idle, seen: Idle) -> Idle:
    """What is known, with an interval that reaches over what was seen again."""
    one, other = _told(known), _told(seen)
    if one is None or other is None:
        return known
    reach_w = abs(one[0] - other[0]) + other[1]
    return known.model_copy(update={"power_uncertainty_w": max(one[1], reach_w)})


def _told(idle: Idle) -> tuple[float, float] | None:
    """Power and the half-width of its interval, in watts; ``None`` if it is not known."""
    if idle.power_w is None:
        return None
    return idle.power_w, idle.power_uncertainty_w or 0.0


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    allowed_w = max(ALIKE * one[0], SIGMAS * math.hypot(one[1], other[1]))
    return abs(one[0] - other[0]) <= allowed_w
