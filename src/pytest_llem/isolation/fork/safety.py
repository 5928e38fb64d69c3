"""Whether a process may be forked: what a forked experiment could not use, or would share."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

TASKS = Path("/proc/self/task")
FILES = Path("/proc/self/fd")
GPU_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/dri")
"""Device files that a process has open once it talks to a GPU's driver."""


def unsafe_to_fork() -> str | None:
    """Why a fork of this process would not be as a fresh one; ``None`` if it would.

    OpenMP's and rayon's workers are threads too, so that counting threads finds them.
    """
    return _threads() or _gpu() or _tracing()


def _threads() -> str | None:
    names = [_name(task) for task in os.listdir(TASKS)]  # noqa: PTH208 - names are wanted
    if len(names) == 1:
        return None
    known = [thread.name for thread in threading.enumerate()[1:]]
    others = ", ".join(sorted(set(known or names))[:4])
    return f"{len(names) - 1} threads beside the main one run after import or collection ({others})"


def _name(task: str) -> str:
    try:
        return (TASKS / task / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "ended"


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return "import or collection initialised CUDA"
    for file in os.listdir(FILES):  # noqa: PTH208 - as above
        try:
            target = os.readlink(FILES / file)  # noqa: PTH115 - as above
        except OSError:
            continue
        if target.startswith(GPU_FILES):
            return f"import or collection opened a GPU ({target})"
    return None


def _tracing() -> str | None:
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return "a debugger, profiler or coverage traces the process"
    coverage = sys.modules.get("coverage")
    if coverage is not None and coverage.Coverage.current() is not None:
        return "coverage is measured in child processes"
    return None
