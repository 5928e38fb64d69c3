"""Whether this machine has an NVIDIA driver."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path


def has_nvidia_driver(root: Path = Path("/")) -> bool:
    """Whether this machine has an NVIDIA driver, by any of the traces that one leaves."""
    return (
        (root / "proc/driver/nvidia").exists()
        or shutil.which("nvidia-smi") is not None
        or loads("libnvidia-ml.so.1")
    )


def loads(library: str) -> bool:
    """Whether the dynamic loader finds *library*."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
