"""What control groups of version 1 and 2 grant: CPU time, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNLIMITED_BYTES = 1 << 62
"""Version 1 writes no limit as the largest multiple of a page in 63 bits."""


def quotas(system: Path) -> list[float]:
    """Quotas in CPUs of this process's groups and of all groups above them."""
    found: list[float] = []
    for directory in _group_directories(system, "cpu"):
        found.extend(_quota(directory))
    return found


def memory_limit_bytes(system: Path) -> int | None:
    """The least memory that one of this process's groups may use; ``None`` is no limit."""
    found: list[int] = []
    for directory in _group_directories(system, "memory"):
        found.extend(_memory(directory))
    return min(found, default=None)


def _group_directories(system: Path, controller: str) -> Iterator[Path]:
    """Where *controller* of this process's groups may be, from the group to the root."""
    root = system / "sys/fs/cgroup"
    for controllers, group in _memberships(system, controller):
        own = [root / controllers, root / controller]
        mounts = own if controllers else [root, root / "unified"]
        for mount in dict.fromkeys(mounts):
            inside = mount / group.lstrip("/")
            yield from (inside, *inside.parents[: len(inside.parts) - len(mount.parts)])


def _memberships(system: Path, controller: str) -> Iterator[tuple[str, str]]:
    try:
        text = (system / "proc/self/cgroup").read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        _, _, membership = line.partition(":")
        controllers, colon, group = membership.partition(":")
        if colon and (not controllers or controller in controllers.split(",")):
            yield controllers, group


def _quota(directory: Path) -> Iterator[float]:
    try:
        if (directory / "cpu.max").exists():
            quota, period = (directory / "cpu.max").read_text().split()
        else:
            quota = (directory / "cpu.cfs_quota_us").read_text().strip()
            period = (directory / "cpu.cfs_period_us").read_text().strip()
        if quota not in {"max", "-1"}:
            yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def _memory(directory: Path) -> Iterator[int]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            limit = int((directory / name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if 0 < limit < _UNLIMITED_BYTES:
            yield limit
