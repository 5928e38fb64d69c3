"""Names of the accelerators of this machine, found without loading more than needed."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from pytest_llem.errors import MeterError

NVML = "libnvidia-ml.so.1"
CARDS = Path("/sys/class/drm")
AMD = "0x1002"
"""AMD's PCI vendor id."""


def accelerator_names() -> list[str]:
    """Names of all accelerators, as their vendors give them; empty if there are none."""
    return _nvidia() or _amd() or _apple()


def _nvidia() -> list[str]:
    """As NVML gives them; none where its library is not even there."""
    try:
        ctypes.CDLL(NVML)
    except OSError:
        return []
    from pytest_llem.devices.nvml.session import NvmlSession

    try:
        session = NvmlSession()
    except MeterError:
        return []
    nvml = session.nvml
    try:
        handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return [str(nvml.nvmlDeviceGetName(handle)) for handle in handles]
    except nvml.NVMLError:
        return []
    finally:
        session.close()


def _amd(cards: Path = CARDS) -> list[str]:
    """``product_name``, which the amdgpu driver gives for server cards (its documentation)."""
    found = []
    for device in sorted(cards.glob("card[0-9]*/device")):
        with suppress(OSError):
            if (device / "vendor").read_text().strip() == AMD:
                name = (device / "product_name").read_text(errors="replace").strip()
                found += [name] if name else []
    return found


def _apple(system: str = sys.platform) -> list[str]:
    """The chip, such as ``Apple M3 Max``."""
    if system != "darwin" or platform.machine() != "arm64":
        return []
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)  # noqa: S603 - a fixed command
        return [done.stdout.strip()]
    return []
