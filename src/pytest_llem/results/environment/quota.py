"""CPU quotas of control groups, version 1 and 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def quotas(system: Path) -> list[float]:
    """Quotas in CPUs of this process's groups and of all groups above them."""
    found: list[float] = []
    for directory in _group_directories(system):
        found.extend(_quota(directory))
    return found


def _group_directories(system: Path) -> Iterator[Path]:
    """Where the CPU controller of this process's groups may be, from the group to the root."""
    root = system / "sys/fs/cgroup"
    for controllers, group in _memberships(system):
        mounts = [root, root / "unified"] if not controllers else [root / controllers, root / "cpu"]
        for mount in dict.fromkeys(mounts):
            inside = mount / group.lstrip("/")
            yield from (inside, *inside.parents[: len(inside.parts) - len(mount.parts)])


def _memberships(system: Path) -> Iterator[tuple[str, str]]:
    try:
        text = (system / "proc/self/cgroup").read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        _, _, membership = line.partition(":")
        controllers, colon, group = membership.partition(":")
        if colon and (not controllers or "cpu" in controllers.split(",")):
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
