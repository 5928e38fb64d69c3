"""Leases: all the locks that an experiment needs, at once, for as long as it runs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_llem.errors import LockError
from pytest_llem.isolation.exclusive.directory import prepared
from pytest_llem.isolation.exclusive.holder import duration_text
from pytest_llem.isolation.exclusive.lock_file import file_name, holder_of, try_lock
from pytest_llem.isolation.exclusive.queue import JITTER, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_llem.isolation.exclusive.holder import Holder
    from pytest_llem.isolation.exclusive.lock_file import Lock
    from pytest_llem.isolation.exclusive.queue import Ticket

SOONEST_S, LATEST_S, SHARE = 0.01, 0.5, 0.05
"""How soon to look again: after a share of what was waited, so that short experiments follow
each other closely, and who waits for long does not disturb who measures."""
FIRST_WORD_S, SECOND_WORD_S, LONGEST_SILENCE_S = 1.0, 30.0, 600.0
"""When waiting is first spoken of, when again, and how long never, in seconds of waiting."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The locks that an experiment needs."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    """Of these, *count*, the first ones that are free."""
    count: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the locks stand for, in words."""

    def __post_init__(self) -> None:
        if not 0 <= self.count <= len(self.any_of):
            raise ValueError(f"{self.count} of {len(self.any_of)} locks cannot be taken")

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self.all_of, *self.any_of))

    def label(self, name: str) -> str:
        return self.labels.get(name, name)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What an experiment waits for."""

    text: str
    """Which device, and who has it, on one line."""
    holder: Holder | None
    """``None`` if nobody can be named."""


class Leases:
    """Takes locks in a directory.

    Args:
        directory: where the locks lie; made if need be.
        timeout_s: how long to wait for them; 0 does not wait, ``None`` waits for ever.
        tell: gets whom an experiment waits for, after a second and then now and then.
    """

    def __init__(
        self, directory: Path, timeout_s: float | None, tell: Callable[[str, Obstacle], None]
    ) -> None:
        self._directory, self._timeout_s, self._tell = directory, timeout_s, tell

    @contextmanager
    def held(self, wanted: Wanted, who: Holder) -> Iterator[tuple[str, ...]]:
        """Hold what is *wanted* while the body runs.

        All of it is taken in one step or nothing is. Who came first is served first where
        two want the same: one that needs several devices is not passed by those that need one.

        Yields:
            What was taken of ``any_of``, in that order.

        Raises:
            LockError: it was not to be had in time, or no lock can be taken here.
        """
        locks = self._taken(wanted, who)
        try:
            yield tuple(name for name in wanted.any_of if name in locks)
        finally:
            for lock in locks.values():
                lock.release()

    def _taken(self, wanted: Wanted, who: Holder) -> dict[str, Lock]:
        queue = Queue(prepared(self._directory))
        waiting = _Waiting(self._timeout_s, self._tell)
        ticket: Ticket | None = None
        try:
            while True:
                with queue.turn():
                    found = self._attempt(queue, ticket, wanted, who)
                    if isinstance(found, dict):
                        return found
                    if ticket is None and self._timeout_s != 0:
                        ticket = queue.join(wanted.names, who)
                waiting.for_(found)
        finally:
            if ticket is not None:
                ticket.give_back()

    def _attempt(
        self, queue: Queue, ticket: Ticket | None, wanted: Wanted, who: Holder
    ) -> dict[str, Lock] | Callable[[], Obstacle]:
        """The locks, or who tells what is in the way."""
        before, waiter = queue.ahead(wanted.names, ticket)
        locks: dict[str, Lock] = {}
        complete = False
        try:
            busy = None if before else self._try(wanted, locks)
            complete = not before and busy is None
        finally:
            if not complete:
                for lock in locks.values():
                    lock.release()
        if complete:
            said = replace(who, since_ns=time.monotonic_ns()).to_bytes()
            for lock in locks.values():
                lock.write(said)
            return locks
        if busy is None:
            return lambda: _behind(wanted, waiter)
        return lambda: self._obstacle(wanted, busy)

    def _try(self, wanted: Wanted, locks: dict[str, Lock]) -> str | None:
        """Put locks into *locks*; the first busy one if they are not enough."""
        for name in sorted(wanted.all_of):
            if not self._add(name, locks):
                return name
        missing, busy = wanted.count, None
        for name in wanted.any_of:
            if not missing:
                break
            if self._add(name, locks):
                missing -= 1
            else:
                busy = busy or name
        return busy if missing else None

    def _add(self, name: str, locks: dict[str, Lock]) -> bool:
        lock = try_lock(self._directory / file_name(name))
        if lock is not None:
            locks[name] = lock
        return lock is not None

    def _obstacle(self, wanted: Wanted, busy: str) -> Obstacle:
        holder = holder_of(self._directory / file_name(busy))
        who = holder.described() if holder else "a process that does not say who it is"
        return Obstacle(f"{_what(wanted, busy)}, held by {who}", holder)


def _what(wanted: Wanted, busy: str) -> str:
    if busy in wanted.any_of and len(wanted.any_of) > wanted.count:
        free = f"{wanted.count} free of {len(wanted.any_of)} GPUs"
        return f"{free}; {wanted.label(busy)}"
    return wanted.label(busy)


def _behind(wanted: Wanted, waiter: Holder | None) -> Obstacle:
    devices: Sequence[str] = [wanted.label(name) for name in (*wanted.all_of, *wanted.any_of)]
    who = waiter.described() if waiter else "a process that does not say who it is"
    more = f" and {len(devices) - 1} more" if len(devices) > 1 else ""
    return Obstacle(f"{devices[0]}{more}, behind one that waits longer: {who}", waiter)


def _refuse_to_wait_for_oneself(obstacle: Obstacle) -> None:
    holder = obstacle.holder
    if holder is not None and (holder.is_own_thread() or holder.started_this_process()):
        raise LockError(
            f"an experiment within an experiment would wait for itself for ever: {obstacle.text}. "
            "Run one after the other, or both with --llem-allow-shared, which marks the results."
        )


class _Waiting:
    """The patience of one experiment: naps, words, and an end."""

    def __init__(self, timeout_s: float | None, tell: Callable[[str, Obstacle], None]) -> None:
        self._timeout_s, self._tell = timeout_s, tell
        self._since_s = time.monotonic()
        self._speak_s, self._silence_s = FIRST_WORD_S, SECOND_WORD_S
        self._looked = False

    def for_(self, describe: Callable[[], Obstacle]) -> None:
        """Wait a little, and say what for when it is time.

        Raises:
            LockError: it has been long enough, or would never end.
        """
        waited_s = time.monotonic() - self._since_s
        left_s = float("inf") if self._timeout_s is None else self._timeout_s - waited_s
        if not self._looked:
            _refuse_to_wait_for_oneself(describe())
            self._looked = True
        if left_s <= 0:
            raise LockError(_late(waited_s if self._timeout_s else 0.0, describe()))
        if waited_s >= self._speak_s:
            self._say(waited_s, describe())
        nap_s = min(max(SHARE * waited_s, SOONEST_S), LATEST_S)
        time.sleep(min(nap_s * JITTER.uniform(0.7, 1.3), left_s))

    def _say(self, waited_s: float, obstacle: Obstacle) -> None:
        _refuse_to_wait_for_oneself(obstacle)
        lasting = f" (waiting for {duration_text(waited_s)})" if waited_s > SECOND_WORD_S else ""
        self._tell(f"waiting for {obstacle.text}{lasting}", obstacle)
        self._speak_s = waited_s + self._silence_s
        self._silence_s = min(self._silence_s * 2, LONGEST_SILENCE_S)


def _late(waited_s: float, obstacle: Obstacle) -> str:
    waited = f"after {duration_text(waited_s)} of waiting" if waited_s else "without waiting"
    return (
        f"no device for this experiment alone {waited}: {obstacle.text}. Wait longer with "
        "--llem-lock-timeout SECONDS, end that process, or lift the locks with "
        "--llem-allow-shared, which marks the results."
    )
