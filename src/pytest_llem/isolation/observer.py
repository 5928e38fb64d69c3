"""What the supervisor answers while it watches the devices.

The measured process drives the load and marks; the observer says when a window
may end, when the trace reaches far enough past it, and what the joules are.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llem.energy.naming import MOST
from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.channel import Message

LONGEST_SETTLING_NS = 3_000_000_000
"""A counter that has not moved for so long will not move now."""
LOOK_AGAIN_S = 0.02
LONGEST_PERIOD_NS = 250_000_000
"""A counter that refreshes less often is not waited for at an edge."""
AT_ONCE_S = 0.003
"""How soon a refresh has to be noticed for the next pass to begin beside it."""


WATCHED = frozenset({"idle", "steady"})
"""Conditions that are looked at from the beginning; their least time is for who looks."""


ANYTHING = (LlemError, ValueError, TypeError, LookupError, ArithmeticError)
"""What inferring from marks that make no sense may raise."""


class Sampling(Protocol):
    """What the observer needs of ``energy.sampling.sampler.Sampler``."""

    def attend(self, on: bool) -> None: ...

    def settled_after(self, time_ns: int) -> bool: ...

    def refreshed_after(self, time_ns: int) -> bool: ...

    def latest_power_w(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What the experiment is doing, for a person who waits."""

    phase: str
    """Such as ``loading``, ``warm-up`` or ``window``."""
    index: int | None = None
    """Number of the window, from 0; ``None`` outside windows."""
    count: int | None = None
    """How many windows there will be."""
    power_w: float | None = None


@dataclass(slots=True)
class Awaited:
    """A condition that the child waits for, or works until."""

    question: int
    condition: str
    since_ns: int
    least_ns: int

    def earliest_ns(self) -> int:
        return self.since_ns + self.least_ns


@dataclass(slots=True)
class Observer:
    """Answers a child's messages about measuring."""

    sampling: Sampling
    infer: Callable[[dict[str, Any]], dict[str, Any]]
    """From a measurement's marks to its figures, both as JSON values."""
    reply: Callable[..., None]
    review: Callable[[list[dict[str, Any]]], int] = lambda _: 0
    """How many of some windows' marks are invalid for a reason that may pass."""
    idle: Callable[[Awaited, int], bool] = lambda _, __: True
    """Whether enough was seen of idling devices, by what is awaited and the time now."""
    steady: Callable[[Awaited, int], bool] = lambda _, __: True
    """Whether the devices have settled under a warm-up, by what is awaited and the time now."""
    passed: Callable[[int], None] = lambda _: None
    """Gets the instants at which passes of a warm-up ended."""
    anew: Callable[[], None] = lambda: None
    """Forgets what was measured: the test that did begins again."""
    heard: Callable[[Message], None] = lambda _: None
    """Gets each message once it was acted on."""
    clock: Callable[[], int] = time.monotonic_ns
    doing: Progress = Progress("starting")
    engine: dict[str, Any] | None = None
    workload: dict[str, Any] | None = None
    recorded: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Figures of the test's own, by name."""
    _awaited: Awaited | None = field(default=None)

    def handle(self, message: Message) -> bool:
        """Act on *message*; whether it was one for the observer.

        One with other fields than its kind has is passed over; who reads from a child
        lets none through (:mod:`.messages`).
        """
        act = getattr(self, f"_on_{message.kind}", None)
        if act is None:
            return False
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            act(**message.fields)
            self.heard(message)
        return True

    def look(self) -> float | None:
        """Answer what can be answered by now; in how many seconds to look again."""
        if self._awaited is None:
            return None
        now = self.clock()
        if self._awaited.condition not in WATCHED and now < self._awaited.earliest_ns():
            return (self._awaited.earliest_ns() - now) / 1e9
        if not self._holds(self._awaited, now):
            return AT_ONCE_S if self._awaited.condition == "refreshed" else LOOK_AGAIN_S
        self.reply("ready", question=self._awaited.question)
        self._awaited = None
        return None

    def progress(self) -> Progress:
        return replace(self.doing, power_w=self.sampling.latest_power_w())

    def _holds(self, awaited: Awaited, now: int) -> bool:
        if awaited.condition == "idle":
            return self.idle(awaited, now)
        if awaited.condition == "steady":
            return self.steady(awaited, now)
        if awaited.condition == "refreshed":
            earliest_ns = awaited.earliest_ns()
            late = now - earliest_ns > LONGEST_PERIOD_NS
            return late or self.sampling.refreshed_after(earliest_ns)
        return (
            self.sampling.settled_after(awaited.since_ns)
            or now - awaited.since_ns > LONGEST_SETTLING_NS
        )

    def _on_phase(self, phase: str, index: int | None, count: int | None) -> None:
        self.doing = Progress(phase, index, count)

    def _on_engine(self, description: dict[str, Any]) -> None:
        self.engine = description

    def _on_workload(self, description: dict[str, Any]) -> None:
        self.workload = description

    def _on_recorded(self, metric: dict[str, Any]) -> None:
        if len(self.recorded) < MOST:
            self.recorded.setdefault(metric["name"], metric)

    def _on_attempt(self) -> None:
        self.recorded.clear()
        self.anew()

    def _on_begin(self) -> None:
        self.sampling.attend(True)

    def _on_await(self, question: int, condition: str, since_ns: int, least_s: float) -> None:
        self._awaited = Awaited(question, condition, since_ns, int(least_s * 1e9))

    def _on_passed(self, end_ns: int) -> None:
        self.passed(end_ns)

    def _on_review(self, windows: list[dict[str, Any]]) -> None:
        try:
            invalid = self.review(windows)
        except ANYTHING:  # windows may be anything; figures will say what is wrong
            invalid = 0
        self.reply("reviewed", invalid=invalid)

    def _on_measured(self, marks: dict[str, Any]) -> None:
        self.sampling.attend(False)
        try:
            self.reply("measurement", figures=self.infer(marks))
        except ANYTHING as error:  # marks may be anything
            self.reply("measurement", error=str(error) or type(error).__name__)
