"""What there is to see of a machine beside its environment; looked at once, in about a second."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.nvml.meter import NvmlMeter, driver_facts
from pytest_llem.errors import MeterError
from pytest_llem.results.environment import collect_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_llem.devices.meter import Device, Facts
    from pytest_llem.results.environment import Environment

SAMPLE_S = 0.25
"""How long the processors are watched."""
NVIDIA_VENDOR = "0x10de"
DISPLAY_CLASSES = ("0x0300", "0x0302")
"""PCI classes of graphics cards and of those without a display (PCI ID repository)."""
_STEAL, _IDLE, _TIMES = 7, (3, 4), 8
"""Fields of ``/proc/stat`` (proc(5))."""
_CPU_ZONES = ("x86_pkg_temp", "cpu", "soc", "coretemp", "k10temp", "zenpower", "acpitz")


@dataclass(frozen=True, slots=True)
class Nvidia:
    """NVIDIA's GPUs, as far as the driver says anything."""

    devices: tuple[Device, ...] = ()
    facts: Mapping[str, Facts] = field(default_factory=dict)
    """What changes slowly, by UUID."""
    problem: str | None = None
    """Why the driver, which is there, does not answer."""
    absence: str | None = None
    """Why there is nothing to ask."""
    hardware: bool = False
    """Whether the machine has such a GPU, driver or not."""
    device_files: bool = False
    """Whether this process could open one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the checks look at."""

    environment: Environment
    environ: Mapping[str, str]
    project: Path
    nvidia: Nvidia = field(default_factory=Nvidia)
    busy_share: float | None = None
    """Share of all CPU time that was used while nothing of ours ran, from 0 to 1."""
    steal_share: float | None = None
    """Share that the hypervisor gave to others meanwhile."""
    cpu_temperature_c: float | None = None
    perf_paranoia: int | None = None
    """``kernel.perf_event_paranoid``."""
    affinity: int | None = None
    """CPUs that this process may run on."""


def look(
    project: Path,
    environ: Mapping[str, str],
    system: Path,
    pause: Callable[[float], None] = time.sleep,
) -> Seen:
    """What there is to see from here; what cannot be told is ``None``. Raises nothing."""
    before = _cpu_times(system)
    pause(SAMPLE_S)
    busy_share, steal_share = _shares(before, _cpu_times(system))
    nvidia, driver = _nvidia(system)
    return Seen(
        environment=collect_environment(project, driver, environ=environ, system=system),
        environ=environ,
        project=project,
        nvidia=nvidia,
        busy_share=busy_share,
        steal_share=steal_share,
        cpu_temperature_c=_cpu_temperature_c(system),
        perf_paranoia=_number(system / "proc/sys/kernel/perf_event_paranoid"),
        affinity=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    )


def _nvidia(system: Path) -> tuple[Nvidia, Mapping[str, Any] | None]:
    """The GPUs, and what the snapshot takes; NVML is started once for both."""
    hardware = any(_is_nvidia_gpu(device) for device in _pci_devices(system))
    device_files = (system / "dev/nvidiactl").exists()
    meter = NvmlMeter()
    try:
        devices = tuple(meter.discover())
        facts = {device.uuid: meter.facts(device) for device in devices}
        driver = driver_facts()
    except MeterError as error:
        return Nvidia(problem=str(error), hardware=hardware, device_files=device_files), None
    finally:
        meter.close()
    return Nvidia(devices, facts, None, meter.absence, hardware, device_files), driver


def _pci_devices(system: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (system / "sys/bus/pci/devices").iterdir()


def _is_nvidia_gpu(device: Path) -> bool:
    with suppress(OSError, ValueError):
        vendor = (device / "vendor").read_text().strip()
        return vendor == NVIDIA_VENDOR and (device / "class").read_text().startswith(
            DISPLAY_CLASSES
        )
    return False


def _cpu_times(system: Path) -> list[int]:
    try:
        name, *fields = (system / "proc/stat").read_text().partition("\n")[0].split()
        return [int(one) for one in fields[:_TIMES]] if name == "cpu" else []
    except (OSError, ValueError):
        return []


def _shares(before: list[int], after: list[int]) -> tuple[float | None, float | None]:
    """Busy and stolen shares of the time between."""
    spent = [b - a for a, b in zip(before, after, strict=False)]
    if len(spent) <= _STEAL or sum(spent) <= 0:
        return None, None
    idle = sum(spent[number] for number in _IDLE)
    return 1 - idle / sum(spent), spent[_STEAL] / sum(spent)


def _cpu_temperature_c(system: Path) -> float | None:
    """The hottest sensor of a processor."""
    found = []
    with suppress(OSError):
        for zone in (system / "sys/class/thermal").glob("thermal_zone*"):
            with suppress(OSError, ValueError):
                kind = (zone / "type").read_text().strip().lower()
                celsius = _number(zone / "temp")
                if kind.startswith(_CPU_ZONES) and celsius is not None:
                    found.append(celsius / 1000)
    return max(found, default=None)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
