"""Who is on a GPU of the double: processes, and MIG slices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from instruments.spelling import spell_ns


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that NVML lists, from ``start_ns`` to before ``end_ns`` (``None``: always)."""

    pid: int | Literal["self"] | Path
    """``self`` is the process that asks; a path is that of a file with pids, read each time."""
    memory: int = 1 << 30
    """Bytes."""
    start_ns: int | None = None
    end_ns: int | None = None
    graphics: bool = False

    def script(self, origin_ns: int) -> str:
        who = f"file={self.pid}" if isinstance(self.pid, Path) else f"{self.pid}"
        words = ["process", who, f"memory={self.memory}"]
        if self.start_ns is not None:
            words.append(f"from={spell_ns(self.start_ns - origin_ns)}")
        if self.end_ns is not None:
            words.append(f"to={spell_ns(self.end_ns - origin_ns)}")
        return " ".join([*words, "type=graphics"] if self.graphics else words)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A MIG slice: a handle with a name and memory, and without a sensor."""

    uuid: str
    gpu_instance: int = 1
    compute_instance: int = 0
    memory_total: int = 10_200_547_328
    """Bytes."""
    memory_used: int = 0

    def script(self) -> str:
        return (
            f"slice {self.uuid} gi={self.gpu_instance} ci={self.compute_instance} "
            f"memory_total={self.memory_total} memory_used={self.memory_used}"
        )
