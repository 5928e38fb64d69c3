"""One GPU as NVML sees it: every value with its unit, ``None`` where the driver has none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from pytest_llem.devices.meter import Facts
from pytest_llem.devices.nvml.settings import gpu_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.devices.nvml.session import NvmlSession

PowerField = Literal["NVML_FI_DEV_POWER_INSTANT", "nvmlDeviceGetPowerUsage"]
"""Where power comes from. The first is instantaneous (100 ms refresh; A100 and H100 look at
25 ms of it); the second is, on Ampere and later except GA100, the mean of the last second
(nvml.h at nvmlDeviceGetPowerUsage; arXiv 2312.02741)."""

CLOCK_EVENTS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}
"""Bits of nvml.h's nvmlClocksEventReason… and, before they were renamed, ThrottleReason…"""


class NvmlGpu:
    """A GPU by its UUID.

    Raises:
        pynvml.NVMLError: there is no such GPU, or it is lost.
    """

    def __init__(self, session: NvmlSession, uuid: str) -> None:
        self.uuid = uuid
        self._session = session
        self._nvml: Any = session.nvml
        self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
        self.has_counter = self._known(self._nvml.nvmlDeviceGetTotalEnergyConsumption) is not None
        self.sliced = bool(self.mig())
        """Whether it was cut into slices at the last look."""
        self.power_field = self._choose_power_field()
        self._power_mw: Callable[[], int | None] = {
            "NVML_FI_DEV_POWER_INSTANT": self._instant_mw,
            "nvmlDeviceGetPowerUsage": self._usage_mw,
            None: lambda: None,
        }[self.power_field]

    def energy_j(self) -> float | None:
        """The energy counter; a running GPU never shows zero, so zero is no answer."""
        if not self.has_counter:
            return None
        energy_mj = self._known(self._nvml.nvmlDeviceGetTotalEnergyConsumption)
        return energy_mj / 1000 if energy_mj else None

    def power_w(self) -> float | None:
        """Power by ``power_field``; a running GPU never draws zero, so zero is no answer."""
        power_mw = self._power_mw()
        return power_mw / 1000 if power_mw else None

    def facts(self) -> Facts:
        self.sliced = bool(self.mig())
        return Facts(
            time_ns=time.monotonic_ns(),
            temperature_c=self._temperature_c(),
            sm_clock_mhz=self._clock_mhz(self._nvml.nvmlDeviceGetClockInfo),
            power_limit_w=self.power_limit_w(),
            throttle_reasons=self._throttle_reasons(),
            memory_bytes=self._memory("used"),
            slowed_ns=self._slowed_ns(),
            processes=self._processes("Compute"),
            graphics_processes=self._processes("Graphics"),
        )

    def name(self) -> str | None:
        name: str | None = self._known(self._nvml.nvmlDeviceGetName)
        return name

    def index(self) -> int | None:
        index: int | None = self._known(self._nvml.nvmlDeviceGetIndex)
        return index

    def pci_bus_id(self) -> str | None:
        info = self._known(self._nvml.nvmlDeviceGetPciInfo)
        return None if info is None else str(info.busId)

    def power_limit_w(self) -> float | None:
        """The limit that is enforced: the least of all that apply."""
        limit_mw = self._known(self._nvml.nvmlDeviceGetEnforcedPowerLimit)
        return limit_mw / 1000 if limit_mw else None

    def max_sm_clock_mhz(self) -> int | None:
        return self._clock_mhz(self._nvml.nvmlDeviceGetMaxClockInfo)

    def memory_bytes(self) -> int | None:
        """Memory of the device, used or not."""
        return self._memory("total")

    def persistence(self) -> bool | None:
        mode = self._known(self._nvml.nvmlDeviceGetPersistenceMode)
        return None if mode is None else bool(mode)

    def ecc(self) -> bool | None:
        modes = self._known(self._nvml.nvmlDeviceGetEccMode)
        return None if modes is None else bool(modes[0])

    def mig(self) -> bool | None:
        """Whether the GPU is cut into slices now; ``None`` if it cannot be."""
        modes = self._known(self._nvml.nvmlDeviceGetMigMode)
        return None if modes is None else bool(modes[0])

    def settings(self) -> dict[str, Any]:
        """Clocks, limits, link and modes, as :func:`gpu_settings` names them."""
        return gpu_settings(self._nvml, self._known)

    def _known(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return self._session.known(call, self._handle, *arguments)

    def _choose_power_field(self) -> PowerField | None:
        if self._instant_mw() is not None:
            return "NVML_FI_DEV_POWER_INSTANT"
        return "nvmlDeviceGetPowerUsage" if self._usage_mw() is not None else None

    def _instant_mw(self) -> int | None:
        answer = self._field(self._nvml.NVML_FI_DEV_POWER_INSTANT)
        return None if answer is None else int(answer.value.uiVal)  # nvml.h: in milliwatts

    def _field(self, field: int) -> Any:
        """A field's answer for the GPU itself (scope 0), without a module around it."""
        values = self._known(self._nvml.nvmlDeviceGetFieldValues, [field])
        if values is None:
            return None
        if values[0].nvmlReturn != self._nvml.NVML_SUCCESS:
            self._session.raise_if_gone(values[0].nvmlReturn)
            return None
        return values[0]

    def _usage_mw(self) -> int | None:
        power_mw: int | None = self._known(self._nvml.nvmlDeviceGetPowerUsage)
        return power_mw

    def _temperature_c(self) -> float | None:
        sensor = self._nvml.NVML_TEMPERATURE_GPU
        celsius = self._known(self._nvml.nvmlDeviceGetTemperatureV, sensor)
        if celsius is None:  # drivers before 570
            celsius = self._known(self._nvml.nvmlDeviceGetTemperature, sensor)
        return None if celsius is None else float(celsius)

    def _clock_mhz(self, call: Callable[..., Any]) -> int | None:
        clock_mhz: int | None = self._known(call, self._nvml.NVML_CLOCK_SM)
        return clock_mhz or None

    def _throttle_reasons(self) -> tuple[str, ...] | None:
        bits = self._known(self._nvml.nvmlDeviceGetCurrentClocksEventReasons)
        if bits is None:  # drivers before 535
            bits = self._known(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return None if bits is None else clock_events(bits)

    def _slowed_ns(self) -> int | None:
        """Sum of the counters that a card as it is meant to run does not move.

        An external power brake is in no policy but that of power, which every busy card
        violates; it has a field of its own. ``hw_slowdown`` alone has no counter.
        """
        nvml = self._nvml
        policies = (
            nvml.NVML_PERF_POLICY_THERMAL,
            nvml.NVML_PERF_POLICY_BOARD_LIMIT,
            nvml.NVML_PERF_POLICY_RELIABILITY,
        )
        seen = [self._known(nvml.nvmlDeviceGetViolationStatus, policy) for policy in policies]
        known = [int(status.violationTime) for status in seen if status is not None]
        if (braked_ns := self._braked_ns()) is not None:
            known.append(braked_ns)
        return sum(known) if known else None

    def _braked_ns(self) -> int | None:
        """How long an external power brake slowed the GPU; bindings renumbered its field."""
        answer = self._field(self._nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN)
        if answer is None or answer.valueType != self._nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
            return None
        return int(answer.value.ullVal)

    def _processes(self, kind: Literal["Compute", "Graphics"]) -> tuple[int, ...] | None:
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        running = self._known(getattr(self._nvml, name))
        if running is None:  # drivers before 510
            running = self._known(getattr(self._nvml, f"{name}_v2"))
        return None if running is None else tuple(sorted({int(one.pid) for one in running}))

    def _memory(self, part: Literal["used", "total"]) -> int | None:
        # Version 2 tells the driver's own reserve apart from use.
        info = self._known(self._nvml.nvmlDeviceGetMemoryInfo, self._nvml.nvmlMemory_v2)
        if info is None:
            info = self._known(self._nvml.nvmlDeviceGetMemoryInfo)
        return None if info is None else int(getattr(info, part))


def clock_events(bits: int) -> tuple[str, ...]:
    """Names of the set bits, lowest first; a bit without a name is ``unknown_0x…``."""
    set_bits = (1 << place for place in range(bits.bit_length()) if bits >> place & 1)
    return tuple(CLOCK_EVENTS.get(bit, f"unknown_{bit:#x}") for bit in set_bits)
