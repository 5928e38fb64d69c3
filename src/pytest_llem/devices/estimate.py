"""An estimate for machines without a power sensor: CPU time × watts per core."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.devices.meter import Capability, Device, Facts, Reading

if TYPE_CHECKING:
    from pytest_llem.devices.meter import CpuClock

DEFAULT_WATTS_PER_CORE = 6.0
"""Watts that a busy core is assumed to draw where nothing is declared.

An assumption, not a measurement: thermal design power ÷ cores by the makers' data sheets
is 3.8 W (EPYC 9654: 360 W, 96 cores), 4.4 W (EPYC 7763: 280 W, 64), 6.3 W (Xeon Platinum
8480+: 350 W, 56) and 6.8 W (Xeon Platinum 8380: 270 W, 40); one busy thread draws nearly
what its whole core does, and memory comes on top. Desktop processors lie at 8 to 11 W.
Estimates made with different watts are never compared.
"""

CPU_INFO = Path("/proc/cpuinfo")


class EstimateMeter:
    """CPU time of the experiment's processes, as joules.

    Args:
        clock: CPU time of the processes.
        watts_per_core: what a busy core is assumed to draw, in watts.
    """

    name: ClassVar[str] = "estimate"
    api_version: ClassVar[int] = 1

    def __init__(self, clock: CpuClock, watts_per_core: float = DEFAULT_WATTS_PER_CORE) -> None:
        self._clock = clock
        self.watts_per_core = watts_per_core

    def discover(self) -> list[Device]:
        return [cpu_estimate()]

    def read(self, device: Device) -> Reading:  # noqa: ARG002 - there is only one
        """CPU time now × watts.

        Power is ``None``: the quotient of two of these readings would look like a second
        source that agrees with the first, and it is the first.
        """
        before_ns = time.monotonic_ns()
        cpu_time_s = self._clock.cpu_time_s()
        after_ns = time.monotonic_ns()
        return Reading(before_ns, after_ns, cpu_time_s * self.watts_per_core, None)

    def facts(self, device: Device) -> Facts:  # noqa: ARG002 - there is only one
        """Nothing is known but the time: clocks and temperatures are the machine's, not its."""
        return Facts(time_ns=time.monotonic_ns())

    def close(self) -> None:
        """There is nothing to give back."""


def cpu_estimate(cpu_info: Path = CPU_INFO) -> Device:
    """The one device of the estimate, called by the model of the CPU."""
    return Device(
        uuid="cpu-estimate",
        name=cpu_name(cpu_info),
        capability=Capability(
            scope="process", method="estimated", resolution_j=None, update_period_s=None
        ),
    )


def cpu_name(cpu_info: Path = CPU_INFO) -> str:
    """Model of the CPU, else its architecture (ARM kernels do not name the model)."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "CPU"
