"""The machine that figures were taken on, as every benchmark prints it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> str:
    """CPU, cores, memory, load, Python and kernel in one line; no name of the machine."""
    return ", ".join(
        [
            cpu_name(),
            cores(),
            f"{memory_gib():.0f} GiB",
            f"load {os.getloadavg()[0]:.2f}",
            f"Python {platform.python_version()}",
            f"{platform.system()} {platform.release()}",
        ]
    )


def cpu_name() -> str:
    """Model name of the CPU, or its architecture where the kernel gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()


def cores() -> str:
    """Cores this process may use, and how many there are if it may not use all."""
    usable, present = len(os.sched_getaffinity(0)), os.cpu_count() or 0
    return f"{usable} cores" if usable >= present else f"{usable} of {present} cores"


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    print(describe_machine())
