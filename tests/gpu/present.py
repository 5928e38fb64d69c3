"""Whether there is an NVIDIA GPU at all, asked with nothing but the standard library."""

from __future__ import annotations

import ctypes

LIBRARY = "libnvidia-ml.so.1"


def absence(library: str = LIBRARY) -> str | None:
    """Why there is no GPU to look at; ``None`` if the driver lists one."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return "there is no NVIDIA driver"
    code = nvml.nvmlInit_v2()
    if code:
        return f"the NVIDIA driver does not start (NVML error {code})"
    count = ctypes.c_uint(0)
    code = nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    nvml.nvmlShutdown()
    if code or not count.value:
        return "the NVIDIA driver lists no GPU"
    return None
