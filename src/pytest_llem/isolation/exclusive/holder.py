"""Who holds a lock, as its file says, and whether that can still be true.

The kernel releases the lock of a process that dies, but not what it had written.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_llem.isolation.process_identity import (
    ancestors,
    boot_id,
    pid_namespace,
    started,
    still_runs,
)

LONGEST_BYTES = 8192
LONGEST_PART = 120
"""Characters of a test's name or a command line that are shown."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds locks or waits for them."""

    pid: int
    """In its own namespace of process ids."""
    thread: int
    started: int | None
    """Clock ticks from boot to its start; ``None`` where the system does not tell."""
    place: str
    """Boot and namespace in which ``pid`` means something."""
    user: str
    what: str
    """The experiment."""
    run: str
    """Id of its run; empty if it has none yet."""
    command: str
    since_ns: int
    """When it got what it holds (``time.monotonic_ns``, which counts from boot)."""

    def is_here(self) -> bool:
        """Whether its process id means something to this process."""
        return self.place == _place()

    def is_alive(self) -> bool:
        """Whether that process still runs; it is believed where that cannot be looked at.

        That is in other containers, and where users do not see each other's processes.
        """
        return not self.is_here() or still_runs(self.pid, self.started)

    def is_own_thread(self) -> bool:
        """Whether this very thread holds it, and would wait for itself."""
        return self.is_here() and (self.pid, self.thread) == (os.getpid(), threading.get_ident())

    def started_this_process(self) -> bool:
        """Whether it is an ancestor of this process."""
        return self.is_here() and self.pid in ancestors()

    def described(self, now_ns: int | None = None) -> str:
        """Who it is, what it does and for how long it has, on one line."""
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        where = "" if self.is_here() else " in another container or on another host"
        run = f" in run {_shown(self.run)}" if self.run else ""
        same_boot = self.place.split()[0] == _place().split()[0]
        lasting = f", for {duration_text((now_ns - self.since_ns) / 1e9)}" if same_boot else ""
        return (
            f"pid {self.pid}{where} of {_shown(self.user)}: {_shown(self.what)}{run} "
            f"({_shown(self.command)}){lasting}"
        )

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()[:LONGEST_BYTES]


def this_process(what: str, run: str = "") -> Holder:
    """This process and thread, about to hold locks for *what*."""
    return Holder(
        pid=os.getpid(),
        thread=threading.get_ident(),
        started=started(os.getpid()),
        place=_place(),
        user=_user(),
        what=what[:LONGEST_PART],
        run=run[:LONGEST_PART],
        command=shlex.join([_program(), *sys.argv[1:]])[:LONGEST_PART],
        since_ns=time.monotonic_ns(),
    )


def parse_holder(text: bytes) -> Holder | None:
    """The holder that a lock's file speaks of; ``None`` if nobody can be made out of it."""
    try:
        fields = json.loads(text)
        holder = Holder(**fields)
    except (ValueError, TypeError):
        return None
    numbers: tuple[object, ...] = (holder.pid, holder.thread, holder.since_ns)
    texts: tuple[object, ...] = (holder.place, holder.user, holder.what, holder.run, holder.command)
    sound = all(type(one) is int for one in numbers) and all(type(one) is str for one in texts)
    return holder if sound and holder.place else None


def duration_text(seconds: float) -> str:
    """Such as ``12 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _program() -> str:
    path = Path(sys.argv[0] or "python")
    return path.parent.name if path.name == "__main__.py" else path.name


def _place() -> str:
    return f"{boot_id()} {pid_namespace()}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _shown(text: str) -> str:
    """*text* that anybody may have written, fit for a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST_PART])
