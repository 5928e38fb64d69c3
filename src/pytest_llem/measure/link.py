"""The measured process's side of the conversation with its supervisor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import IsolationError, MeterError

if TYPE_CHECKING:
    from pytest_llem.isolation.channel import Channel, Message


TELL_AGAIN_NS = 20_000_000
"""Ends of passes are not told more often; power is not seen more finely."""


class SupervisorLink:
    """Marks go out at once; answers are only waited for when no load runs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._asked = 0
        self._told_ns = 0

    def phase(self, phase: str, index: int | None = None, count: int | None = None) -> None:
        """Say what the experiment is doing now, and which of how many."""
        self._channel.send("phase", phase=phase, index=index, count=count)

    def engine(self, description: dict[str, Any]) -> None:
        """Say what really took effect in the engine."""
        self._channel.send("engine", description=description)

    def workload(self, description: dict[str, Any]) -> None:
        """Say what one pass asks of the engine."""
        self._channel.send("workload", description=description)

    def recorded(self, metric: dict[str, Any]) -> None:
        """Hand over a figure that the test recorded."""
        self._channel.send("recorded", metric=metric)

    def attempt(self) -> None:
        """Say that the test begins: what an earlier attempt at it has measured does not count."""
        self._channel.send("attempt")

    def begin(self) -> None:
        """Say that a measurement begins: the devices are read closely from now on."""
        self._channel.send("begin")

    def idle(self, least_s: float) -> None:
        """Keep quiet until the supervisor has seen what the devices draw meanwhile."""
        self.phase("idling")
        self.ask("idle", time.monotonic_ns(), least_s)
        self.wait()

    def passed(self, end_ns: int) -> None:
        """Say that a pass ended, unless that was said of another just before."""
        if end_ns - self._told_ns >= TELL_AGAIN_NS:
            self._told_ns = end_ns
            self._channel.send("passed", end_ns=end_ns)

    def ask(self, condition: str, since_ns: int, least_s: float = 0.0) -> None:
        """Ask to be told once *condition* holds, in place of what was asked before."""
        self._asked += 1
        self._channel.send(
            "await",
            question=self._asked,
            condition=condition,
            since_ns=since_ns,
            least_s=least_s,
        )

    def answered(self) -> bool:
        """Whether what was asked for holds by now; never waits."""
        return self._ready(self._channel.receive(0.0))

    def wait(self) -> None:
        """Wait until what was asked for holds."""
        while not self._ready(self._channel.receive(None)):
            pass

    def measured(self, marks: dict[str, Any]) -> dict[str, Any]:
        """Hand over a measurement's marks; its figures, as JSON values.

        Raises:
            MeterError: the supervisor could not infer figures, and says why.
        """
        self._channel.send("measured", marks=marks)
        answer = None
        while answer is None:
            answer = self._channel.receive(None)
        if answer.kind != "measurement":
            raise IsolationError(f"expected a measurement from the supervisor, got {answer.kind}")
        if "error" in answer.fields:
            raise MeterError(answer.fields["error"])
        figures: dict[str, Any] = answer.fields["figures"]
        return figures

    def review(self, windows: list[dict[str, Any]]) -> int:
        """How many of some windows are invalid for a reason that may pass."""
        self._channel.send("review", windows=windows)
        answer = None
        while answer is None:
            answer = self._channel.receive(None)
        if answer.kind != "reviewed":
            raise IsolationError(f"expected 'reviewed' from the supervisor, got {answer.kind!r}")
        return int(answer.fields["invalid"])

    def _ready(self, message: Message | None) -> bool:
        if message is None:
            return False
        if message.kind != "ready":
            raise IsolationError(f"expected 'ready' from the supervisor, got {message.kind!r}")
        return bool(message.fields["question"] == self._asked)  # else to what nobody waits for
