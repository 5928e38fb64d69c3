"""Main memory, what of it is left, and what lies on disk instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def memory_bytes(system: Path) -> int | None:
    """Main memory of the machine."""
    return _meminfo(system).get("MemTotal")


def available_bytes(system: Path) -> int | None:
    """What could be had without swapping, by the kernel's own estimate."""
    return _meminfo(system).get("MemAvailable")


def swap_bytes(system: Path) -> int | None:
    """Size of all swap; 0 is none."""
    return _meminfo(system).get("SwapTotal")


def swap_used_bytes(system: Path) -> int | None:
    """What of it is in use."""
    found = _meminfo(system)
    total, free = found.get("SwapTotal"), found.get("SwapFree")
    return None if total is None or free is None else total - free


def _meminfo(system: Path) -> dict[str, int]:
    """``/proc/meminfo``, which counts in KiB, in bytes."""
    found = {}
    for line in (system / "proc/meminfo").read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon and value.split():
            found[name] = int(value.split()[0]) * 1024
    return found
