"""Systems on a chip through Zeus: NVIDIA Jetson and Apple Silicon.

Both show energies of their parts in mJ. Jetson's come from power rails that a process of
Zeus adds up ten times a second; Apple's are counters of the chip. What a chip draws as a
whole covers every experiment on it, on whichever of its parts.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.devices.zeus.source import MILLIJOULE, Seen
from pytest_llem.errors import MeterError

DEVICE_TREE = Path("/proc/device-tree")
JETSON_PERIOD_S = 0.1
"""How often Zeus's process looks at the rails (``zeus.device.soc.jetson``)."""
APPLE_PARTS = ("cpu_total_mj", "dram_mj", "gpu_mj", "gpu_sram_mj", "ane_mj")
"""The parts that make up the chip; the cores' own energies are inside ``cpu_total_mj``."""
JETSON_PARTS = ("cpu_energy_mj", "gpu_energy_mj")
JETSON_TOTAL = "total_energy_mj"


class ZeusChip:
    """The chip of this machine.

    Raises:
        MeterError: Zeus sees none of its energies.
    """

    def __init__(self, soc: Any) -> None:
        self._soc = soc
        jetson = type(soc).__name__ == "Jetson"
        self._parts = _parts(soc.get_available_metrics(), jetson=jetson)
        self.device = _jetson(self._parts) if jetson else _apple()

    def look(self) -> Seen:
        """The sum of the chip's parts; nothing where one of them gave nothing."""
        measured = self._soc.get_total_energy_consumption()
        energies_mj = [getattr(measured, part) for part in self._parts]
        if None in energies_mj:
            return Seen(None, None)
        return Seen(sum(energies_mj) * MILLIJOULE, None)

    def facts(self) -> Facts:
        """Nothing is known but the time."""
        return Facts(time_ns=time.monotonic_ns())


def _parts(known: set[str], *, jetson: bool) -> tuple[str, ...]:
    """Names of the energies that add up to the chip's."""
    if jetson and JETSON_TOTAL in known:
        return (JETSON_TOTAL,)
    parts = tuple(part for part in (JETSON_PARTS if jetson else APPLE_PARTS) if part in known)
    if not parts:
        raise MeterError(
            "Zeus finds a system on a chip and none of its power rails. Allow this user to read "
            "them (on a Jetson below /sys/bus/i2c/drivers/ina3221), or take another meter."
        )
    return parts


def _jetson(parts: tuple[str, ...]) -> Device:
    name = _text(DEVICE_TREE / "model") or "NVIDIA Jetson"
    serial = _text(DEVICE_TREE / "serial-number")
    rails = (
        "" if parts == (JETSON_TOTAL,) else f" ({' and '.join(p[:3].upper() for p in parts)} rails)"
    )
    return Device(
        uuid=f"jetson:{serial or name}",
        name=f"{name}{rails}" if serial else f"{name}{rails} (it gives no serial number)",
        capability=Capability("module", "integrated", None, JETSON_PERIOD_S),
        covers_all=True,
    )


def _apple() -> Device:
    return Device(
        uuid="apple:silicon",
        name="Apple Silicon (it gives no serial number)",
        capability=Capability("module", "counter", MILLIJOULE, None),
        covers_all=True,
    )


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    return ""
