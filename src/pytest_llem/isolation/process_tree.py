"""A child and its descendants: their CPU time, and their end.

An engine's workers may leave the child's process group or outlive it, so
membership is told by descent while the child lives and by a token in the
environment afterwards.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN_VARIABLE = "LLEM_EXPERIMENT"  # noqa: S105 - a name, no secret
SCAN_PERIOD_S = 0.5
KILL_ROUNDS = 20
PROC = Path("/proc")
CHUNK = 1 << 16


@dataclass(slots=True)
class ProcessTree:
    """The processes that belong to one experiment.

    Also a clock of the CPU time they used (``devices.meter.CpuClock``).
    """

    root: int
    token: str | None
    """Value of ``LLEM_EXPERIMENT`` in their environment; ``None`` for a foreign tree."""
    _used_s: dict[int, float] = field(default_factory=dict)
    _members: tuple[int, ...] = ()
    _scanned_s: float = float("-inf")

    def cpu_time_s(self) -> float:
        """CPU seconds used by all members so far, the ended ones included.

        Read from each process's CPU clock (``clock_getcpuclockid(3)``, nanoseconds).
        A process that starts and ends between two scans half a second apart counts
        only if its parent lives on as a member and is asked again.
        """
        if time.monotonic() - self._scanned_s >= SCAN_PERIOD_S:
            self._members = tuple(self.members())
            self._scanned_s = time.monotonic()
        for pid in self._members:
            with contextlib.suppress(OSError):
                self._used_s[pid] = time.clock_gettime(_process_clock(pid))
        return sum(self._used_s.values())

    def members(self) -> Iterator[int]:
        """The root and its living descendants."""
        waiting = [self.root]
        seen = set()
        while waiting:
            pid = waiting.pop()
            if pid not in seen:
                seen.add(pid)
                yield pid
                waiting.extend(_children(pid))

    def abort(self) -> None:
        """End the root such that it prints where its threads are; no core is dumped.

        That is what Python's ``faulthandler``, which pytest switches on, makes of ``SIGABRT``.
        """
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.prlimit(self.root, resource.RLIMIT_CORE, (0, 0))
            os.kill(self.root, signal.SIGABRT)

    def kill(self) -> None:
        """Kill every member, also those that left the process group; never raises.

        Again and again, since a process may start others while it is looked for.
        """
        for _ in range(KILL_ROUNDS):
            if not self._kill_once():
                return

    def _kill_once(self) -> bool:
        """Whether there was anything left to kill but the root, which its parent reaps."""
        doomed = set(self._bearers())
        if self.token is None or self.root in doomed:  # else its number may be another's by now
            doomed |= set(self.members())
            with contextlib.suppress(OSError):
                if os.getpgid(self.root) == self.root:
                    os.killpg(self.root, signal.SIGKILL)
        for pid in doomed - {os.getpid()}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return bool(doomed - {os.getpid(), self.root})

    def _bearers(self) -> Iterator[int]:
        if self.token is None:
            return
        wanted = f"{TOKEN_VARIABLE}={self.token}\0".encode()
        for entry in os.listdir(PROC):  # noqa: PTH208 - a Path for each process costs more
            if entry.isdigit() and wanted in _environment(entry):
                yield int(entry)


def _process_clock(pid: int) -> int:
    # The kernel's encoding of a process's CPU clock, as clock_getcpuclockid(3) returns it.
    return (~pid << 3) | 2


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"{PROC}/{pid}/task"):  # noqa: PTH208 - as above
            text = Path(f"{PROC}/{pid}/task/{task}/children").read_text(encoding="ascii")
            found.extend(map(int, text.split()))
    return found


def _environment(pid: str) -> bytes:
    """Its environment, by bare calls: all processes are asked after every experiment."""
    try:
        file = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        chunks = list(iter(lambda: os.read(file, CHUNK), b""))
    except OSError:  # it ended, or has no memory of its own
        return b""
    finally:
        os.close(file)
    return b"".join(chunks) + b"\0"
