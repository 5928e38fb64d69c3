"""CPU packages through Zeus, which reads the kernel's powercap or asks its daemon, zeusd.

Without the daemon Zeus keeps a process for each counter, started with the first reading, that
notices when the counter begins anew. The memory's counter, which Zeus reads beside the
package's, is not part of the package and left out.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.estimate import cpu_name
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.devices.rapl import MICROJOULE, PERIOD_S
from pytest_llem.devices.zeus_source import MILLIJOULE, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator


class ZeusPackage:
    """One CPU package, by the name that the kernel gives its zone."""

    def __init__(self, cpu: Any, zone: str) -> None:
        self._cpu = cpu
        self.device = Device(
            uuid=f"zeus:{zone}",
            name=cpu_name(),
            capability=Capability("package", "counter", MICROJOULE, PERIOD_S),
            index=cpu.cpu_index,
        )

    def look(self) -> Seen:
        return Seen(self._cpu.get_total_energy_consumption().cpu_mj * MILLIJOULE, None)

    def facts(self) -> Facts:
        """Nothing is known but the time."""
        return Facts(time_ns=time.monotonic_ns())


def packages(cpus: Any) -> Iterator[ZeusPackage]:
    """The packages among Zeus's CPUs: it also takes the whole platform (psys) for one."""
    for cpu in cpus.cpus:
        zone = Path(cpus.rapl_dir) / f"intel-rapl:{cpu.cpu_index}" / "name"
        name = zone.read_text(encoding="utf-8").strip()
        if name.startswith("package"):
            yield ZeusPackage(cpu, name)
