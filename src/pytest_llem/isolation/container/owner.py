"""Which process a container belongs to, so that those of dead ones can be told."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def own_name(pid: int | None = None) -> str:
    """This process, or that with *pid*, by a name that no other ever has.

    Boot, process-id namespace, number, and start time in clock ticks (``proc(5)``).
    """
    pid = pid or os.getpid()
    return f"{_system()}/{pid}/{_start_time(pid)}"


def is_orphan(name: str) -> bool:
    """Whether the process called *name* is dead; never for one that cannot be seen from here."""
    system, _, process = name.rpartition("/")[0].rpartition("/")
    if system != _system() or not process.isdigit():
        return False
    try:
        return own_name(int(process)) != name
    except OSError:
        return True


def _system() -> str:
    boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - a link to nowhere


def _start_time(pid: int) -> str:
    # The name in parentheses may hold anything; the start time is field 22 of proc(5).
    return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
