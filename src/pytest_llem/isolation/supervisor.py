"""Waits for a child: speaks with it, watches the deadline, and tells how it ended."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_llem.isolation.channel import ChannelClosedError
from pytest_llem.isolation.memory import kernel_kills
from pytest_llem.isolation.messages import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.launcher import Launched
    from pytest_llem.isolation.observer import Observer, Progress

GRACE_S = 2.0
"""How long a child may take to stop after an interrupt, or to exit once it said all."""
PROGRESS_PERIOD_S = 0.5
GUARD_PERIOD_S = 0.25


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended."""

    status: int | None
    """Exit status, negative for a signal; ``None`` if it had to be killed."""
    timed_out: bool = False
    hung_after_closing: bool = False
    """It closed its channel, yet did not exit."""
    killed_for: str | None = None
    """Why the supervisor had to kill it, other than for its time; ``None`` if it had not."""
    kernel_kills: int = 0
    """Processes that the kernel ended meanwhile for want of memory; not all need be its own."""
    garbage: int = 0
    """Messages that made no sense, and were passed over."""

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, its supervisor's included, other than at its deadline."""
        return self.killed_for is not None or (self.status or 0) < 0


@dataclass(slots=True)
class Supervisor:
    """Supervises one child."""

    launched: Launched
    observer: Observer
    job: dict[str, Any]
    deadline_s: float | None
    on_message: Callable[[Message], None]
    """Gets what is not for the observer."""
    on_progress: Callable[[Progress], None] | None = None
    guard: Callable[[], str | None] | None = None
    """Looked at four times a second; says why the child has to be killed, ``None`` if it has not."""
    _guarded_s: float = field(default=float("-inf"))
    _expires_s: float = field(default=float("inf"))
    _shown_s: float = field(default=float("-inf"))
    _garbage: int = field(default=0)

    def run(self) -> Ending:
        """Serve the child until it has ended; its whole process tree ends with it.

        Raises:
            KeyboardInterrupt: Ctrl-C; the child was interrupted, given two seconds, and killed.
        """
        if self.deadline_s:
            self._expires_s = time.monotonic() + self.deadline_s
        kills = kernel_kills()
        try:
            ending = self._converse()
            garbage = self._garbage + self.launched.channel.garbage
            return replace(ending, kernel_kills=kernel_kills() - kills, garbage=garbage)
        except KeyboardInterrupt:
            self.launched.process.interrupt()
            with contextlib.suppress(KeyboardInterrupt):
                self.launched.process.wait(GRACE_S)
            raise
        finally:
            self.launched.process.end()
            self.launched.channel.close()

    def _converse(self) -> Ending:
        while time.monotonic() < self._expires_s:
            if (reason := self._guarded()) is not None:
                return Ending(None, killed_for=reason)
            wait_s = self._pause(self.observer.look())
            try:
                message = self.launched.channel.receive(wait_s)
            except ChannelClosedError:
                return self._farewell()
            if message is not None:
                self._dispatch(message)
            self._show()
        return self._timed_out()

    def _timed_out(self) -> Ending:
        process = self.launched.process
        if process.wait(0.0) is None:
            process.tree.abort()
            process.wait(GRACE_S)
        return Ending(None, timed_out=True)

    def _guarded(self) -> str | None:
        now_s = time.monotonic()
        if self.guard is None or now_s - self._guarded_s < GUARD_PERIOD_S:
            return None
        self._guarded_s = now_s
        return self.guard()

    def _pause(self, look_again_s: float | None) -> float | None:
        bounds = [self._expires_s - time.monotonic()]
        if look_again_s is not None:
            bounds.append(look_again_s)
        if self.guard is not None:
            bounds.append(GUARD_PERIOD_S)
        if self.on_progress is not None:
            bounds.append(PROGRESS_PERIOD_S)
        wait_s = max(0.0, min(bounds))
        return None if wait_s == float("inf") else wait_s

    def _dispatch(self, message: Message) -> None:
        if not well_formed(message):
            self._garbage += 1
        elif message.kind == "hello":
            self.launched.channel.send("job", **self.job)
        elif not self.observer.handle(message):
            self.on_message(message)

    def _farewell(self) -> Ending:
        left_s = min(self._expires_s - time.monotonic(), GRACE_S)
        status = self.launched.process.wait(max(0.0, left_s))
        return Ending(status, hung_after_closing=status is None)

    def _show(self) -> None:
        if self.on_progress is None:
            return
        now = time.monotonic()
        if now - self._shown_s >= PROGRESS_PERIOD_S:
            self._shown_s = now
            self.on_progress(self.observer.progress())
