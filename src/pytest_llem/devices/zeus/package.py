"""CPU packages and their memory through Zeus: the kernel's powercap, or its daemon, zeusd.

Without the daemon Zeus keeps a process for each counter, started with the first reading, that
notices when the counter begins anew. It reads a package and its memory, which is no part of
the package, in one call.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_llem.devices.estimate import cpu_name
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.devices.rapl import MICROJOULE, PERIOD_S
from pytest_llem.devices.zeus.source import MILLIJOULE, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ZeusPackage:
    """One CPU package or its memory, by the name that the kernel gives the package's zone."""

    def __init__(self, cpu: Any, zone: str, part: Literal["cpu_mj", "dram_mj"] = "cpu_mj") -> None:
        self._cpu = cpu
        self._part = part
        memory = part == "dram_mj"
        self.device = Device(
            uuid=f"zeus:{zone}:dram" if memory else f"zeus:{zone}",
            name=f"memory of {cpu_name()}" if memory else cpu_name(),
            capability=Capability("dram" if memory else "package", "counter", MICROJOULE, PERIOD_S),
            index=cpu.cpu_index,
        )

    def look(self) -> Seen:
        energy_mj = getattr(self._cpu.get_total_energy_consumption(), self._part)
        return Seen(None if energy_mj is None else energy_mj * MILLIJOULE, None)

    def facts(self) -> Facts:
        """Nothing is known but the time."""
        return Facts(time_ns=time.monotonic_ns())


def packages(cpus: Any) -> list[ZeusPackage]:
    """The packages among Zeus's CPUs, which also take the whole platform (psys) for one.

    Then their memories, where they have a counter.
    """
    named = [(cpu, _zone(cpus, cpu.cpu_index)) for cpu in cpus.cpus]
    found = [(cpu, zone) for cpu, zone in _told_apart(named) if zone.startswith("package")]
    with_memory = [(cpu, zone) for cpu, zone in found if cpu.supports_get_dram_energy_consumption()]
    return [
        *(ZeusPackage(cpu, zone) for cpu, zone in found),
        *(ZeusPackage(cpu, zone, "dram_mj") for cpu, zone in with_memory),
    ]


def _told_apart(named: Iterable[tuple[Any, str]]) -> Iterator[tuple[Any, str]]:
    """Zones by their folder too where another has the same name, as the meter ``rapl`` has them."""
    seen: set[str] = set()
    for cpu, zone in named:
        yield cpu, f"{zone}@intel-rapl:{cpu.cpu_index}" if zone in seen else zone
        seen.add(zone)


def _zone(cpus: Any, index: int) -> str:
    return (Path(cpus.rapl_dir) / f"intel-rapl:{index}" / "name").read_text("utf-8").strip()
