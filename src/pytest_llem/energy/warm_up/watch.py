"""Following the devices while a load warms up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_llem.energy.scopes import headline
from pytest_llem.energy.warm_up.following import Following
from pytest_llem.energy.warm_up.load import Load
from pytest_llem.energy.warm_up.settling import settling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.marks import Criterion, WarmUp
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.energy.warm_up.course import Course

LEAST_WAIT_NS = 100_000_000
"""The counter refreshes about as often; to look more often shows nothing new."""
PATIENCE = 1 / 20
"""The next look is due when the warm-up has gone on for so much of its time."""

AT_ONCE = 4
"""Devices that are read at a look, so that a look stays short."""


class Sampling(Protocol):
    """What is needed of ``energy.sampling.sampler.Sampler``."""

    @property
    def traces(self) -> tuple[Trace, ...]: ...


@dataclass(slots=True)
class SteadyWatch:
    """Looks again and again whether the devices have settled under one warm-up's load.

    Those of the headline: what is read beside them is in no gate.
    """

    sampling: Sampling
    start_ns: int
    lasting_s: float
    """How long the windows will take at least, in seconds."""
    settled: tuple[Criterion, ...] = ()
    """What was seen when the devices were last found to have settled; empty until then."""
    _ends_ns: list[int] = field(default_factory=list)
    _following: dict[str, Following] = field(default_factory=dict)
    _holds: bool = False
    _due_ns: int = 0

    def passed(self, end_ns: int) -> None:
        """Take note of an instant at which a pass ended."""
        if not self._ends_ns or end_ns > self._ends_ns[-1]:
            self._ends_ns.append(end_ns)

    def holds(self, now_ns: int) -> bool:
        """Whether the devices have settled, as of the latest look; looks if that is due."""
        if now_ns >= self._due_ns:
            wait_ns = max(LEAST_WAIT_NS, round(PATIENCE * (now_ns - self.start_ns)))
            self._due_ns = now_ns + wait_ns
            seen = self.seen(now_ns)
            self._holds = all(one.holds is not False for one in seen)
            if self._holds:
                self.settled = seen
        return self._holds

    def seen(self, now_ns: int) -> tuple[Criterion, ...]:
        """The criteria as they are now."""
        load = Load(self.start_ns, self._ends_ns, self.lasting_s).until(now_ns)
        traces = headline(self.sampling.traces)
        return settling(traces, self._courses(traces, now_ns), load, now_ns)

    def completed(self, warm_up: WarmUp) -> WarmUp:
        """A warm-up with what was seen on the devices when it ended."""
        seen = self.settled if warm_up.converged else self.seen(warm_up.end_ns)
        criteria = (*warm_up.criteria, *seen)
        return warm_up.model_copy(update={"criteria": criteria, "reason": _said(warm_up, criteria)})

    def _courses(self, traces: Sequence[Trace], now_ns: int) -> dict[str, Course]:
        """What is known of each device; of many, some are looked at each time, in turn."""
        for trace in traces:
            self._following.setdefault(trace.device.uuid, Following(trace, self.start_ns))
        for one in sorted(self._following.values(), key=lambda one: one.looked_ns)[:AT_ONCE]:
            one.look(now_ns)
        return {uuid: one.course for uuid, one in self._following.items()}


def _said(warm_up: WarmUp, criteria: Sequence[Criterion]) -> str:
    """Why a warm-up converged, or why it did not."""
    if warm_up.converged:
        return "; ".join(one.reason for one in criteria if one.holds)
    missed = [one.reason for one in criteria if one.holds is False]
    why = "; ".join(missed) or "everything was steady at some time, but not at once"
    return f"not steady within {warm_up.duration_s:.1f} s: {why}"
