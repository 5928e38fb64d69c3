"""What tells a process from every other one: its number, its start, its namespace, its boot."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_PARENT_FIELD = 1
"""Position of ``ppid`` among :func:`stat_fields` (proc(5): field 4)."""
_STARTED_FIELD = 19
"""Position of ``starttime``, likewise (proc(5): field 22)."""


def boot_id() -> str:
    """What tells this boot of this host from others; the same in all its containers."""
    with suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return socket.gethostname() or "host"


def pid_namespace() -> str:
    """In which process ids of this process mean something, such as ``pid:[4026531836]``.

    Empty where the system does not tell (``namespaces(7)``).
    """
    with suppress(OSError):
        return os.readlink(PROC / "self/ns/pid")  # noqa: PTH115 - it points at no path
    return ""


def started(pid: int) -> int | None:
    """Clock ticks from boot to the start of *pid*; ``None`` where the system does not tell."""
    fields = stat_fields(pid)
    return int(fields[_STARTED_FIELD]) if fields else None


def still_runs(pid: int, since: int | None) -> bool:
    """Whether *pid* is the process that :func:`started` then, rather than a later one or none.

    It is believed where that cannot be looked at: users may not see each other's processes.
    """
    return _exists(pid) and started(pid) in {None, since}


def ancestors() -> set[int]:
    """Process ids of this process's parent, its parent, and so on."""
    found: set[int] = set()
    pid = os.getppid()
    while pid > 0 and pid not in found:
        found.add(pid)
        fields = stat_fields(pid)
        pid = int(fields[_PARENT_FIELD]) if fields else 0
    return found


def stat_fields(pid: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` behind the command's name, which may contain anything.

    Empty where there is no such file.
    """
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
