"""How much memory an experiment takes, and whether the kernel ended it for want of some.

The limit is watched rather than set: address space (``RLIMIT_AS``) says nothing about a
process that uses a GPU, since CUDA reserves hundreds of gigabytes of it, and a control
group of one's own needs rights that a test rarely has.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llem.isolation.process_tree import ProcessTree

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", re.IGNORECASE)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_PAGE = os.sysconf("SC_PAGE_SIZE")
_GIB = 1 << 30
MOST = 1e30
"""Of any unit: more is no size of anything."""
PREFERRED_VICTIM = 800
"""Of 1000: how readily the kernel ends an experiment rather than who supervises it."""


def bytes_of(text: str) -> int:
    """Bytes of a size such as ``8GiB``, ``500MB`` or ``8G``, which is ``8GiB``.

    Raises:
        ConfigError: it is no size, or nothing.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or not 0 < float(match[1]) < MOST:
        raise ConfigError(f"{text!r} is no size. Write it like 8GiB, 500MB or 8G (which is 8GiB).")
    power = _POWERS[match[2].upper()] if match[2] else 0
    decimal = match[2] and not match[3] and match[0].upper().endswith("B")
    return int(float(match[1]) * (1000 if decimal else 1024) ** power)


@dataclass(frozen=True, slots=True)
class MemoryGuard:
    """Watches that a process tree does not take more memory than it may."""

    tree: ProcessTree
    limit: int
    """Bytes."""

    def check(self) -> str | None:
        """Why the tree has to end, or ``None``.

        Pages that several processes share count once. That is slow to find out, so it
        is only asked once the sum in which they count each time is above the limit.
        """
        members = tuple(self.tree.members())
        if sum(map(_resident, members)) <= self.limit:
            return None
        used = sum(map(_proportional, members))
        if used <= self.limit:
            return None
        return f"out of memory ({used / _GIB:.2f} GiB of {self.limit / _GIB:.2f} GiB)"


def _resident(pid: int) -> int:
    """Resident bytes of a process, shared ones included; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _proportional(pid: int) -> int:
    """Resident bytes of a process, each shared page divided by its sharers."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return int(text.split("\nPss:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return _resident(pid)


def kernel_kills() -> int:
    """How many processes the kernel has ended for want of memory, as far as it can be told.

    That of our control group where it counts (``memory.events``), else that of the machine
    (``/proc/vmstat``).
    """
    texts = (*_group_events(), Path("/proc/vmstat"))
    return next((count for path in texts if (count := _counted(path)) is not None), 0)


def _group_events() -> Iterable[Path]:
    """Where version 2 and version 1 of control groups count."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            yield from _events_of(controllers, path)


def _events_of(controllers: str, path: str) -> Iterator[Path]:
    root = Path("/sys/fs/cgroup")
    if not controllers:
        yield root / path.lstrip("/") / "memory.events"
    elif "memory" in controllers.split(","):
        yield root / "memory" / path.lstrip("/") / "memory.oom_control"


def _counted(path: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def prefer_as_victim() -> None:
    """Have the kernel end this process and its children before others, if memory runs out."""
    file = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        if int(file.read_text(encoding="ascii")) < PREFERRED_VICTIM:
            file.write_text(str(PREFERRED_VICTIM), encoding="ascii")
