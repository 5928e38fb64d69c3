"""GPUs through Zeus, which asks NVML or amdsmi.

Zeus counts energy and power in thousandths (``get_total_energy_consumption`` in mJ,
``get_instant_power_usage`` and ``get_average_power_usage`` in mW). It gives no UUID, but the
handle of the vendor's library, which does. Of an NVIDIA GPU, NVML also tells the slow facts:
being read through Zeus is no reason to miss a throttled or shared card.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.hip import AMD
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.devices.nvml.gpu import NvmlGpu
from pytest_llem.devices.nvml.meter import refusal
from pytest_llem.devices.zeus.source import MILLIJOULE, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.devices.meter import Scope
    from pytest_llem.devices.nvml.session import NvmlSession


class ZeusGpu:
    """One GPU.

    Args:
        gpu: Zeus's object of it.
        native: what NVML says of it; ``None`` for other makers' GPUs.

    Raises:
        ZeusBaseError: it is lost.
    """

    def __init__(self, gpu: Any, native: NvmlGpu | None) -> None:
        self._gpu = gpu
        self._native = native
        self._counter: Callable[[], Any] | None = None
        if self._known(gpu.supports_get_total_energy_consumption):
            self._counter = self._working(gpu.get_total_energy_consumption)
        self._power = self._working(gpu.get_instant_power_usage) or self._working(
            gpu.get_average_power_usage
        )
        self.device = self._described()

    def look(self) -> Seen:
        energy_mj = self._known(self._counter)
        power_mw = self._known(self._power)
        return Seen(
            energy_mj * MILLIJOULE if energy_mj else None, power_mw / 1000 if power_mw else None
        )

    def facts(self) -> Facts:
        if self._native is not None:
            return self._native.facts()
        temperature_c = self._known(self._gpu.get_gpu_temperature)
        limit_mw = self._known(self._gpu.get_power_management_limit)
        return Facts(
            time_ns=time.monotonic_ns(),
            temperature_c=None if temperature_c is None else float(temperature_c),
            power_limit_w=limit_mw / 1000 if limit_mw else None,
        )

    def place(self) -> str:
        """Where the GPU sorts among its like: by PCI bus id, as CUDA counts them.

        AMD's are listed in the order of HIP already, which is that of their indices.
        """
        bus_id = self._native.pci_bus_id() if self._native else None
        return bus_id or f"{self._gpu.gpu_index:08d}"

    def _described(self) -> Device:
        name = str(self._gpu.get_name())
        uuid = self._native.uuid if self._native else _uuid(self._gpu, name)
        return Device(
            uuid=uuid,
            name=_full_name(name, uuid, self._gpu.gpu_index),
            capability=Capability(
                scope=self._scope(name),
                method="counter" if self._counter else "integrated",
                resolution_j=MILLIJOULE if self._counter else None,
                update_period_s=None,
            ),
            index=self._gpu.gpu_index,
            refusal=self._refusal(uuid),
        )

    def _scope(self, name: str) -> Scope:
        """A Grace Hopper counts its whole module, the first die of an MI250 both of them."""
        # Zeus asks for the module's power just where this attribute of its own is set.
        whole = getattr(self._gpu, "_is_grace_hopper", False)
        return "module" if whole or _two_dies(name) else "gpu"

    def _refusal(self, uuid: str) -> str | None:
        in_slices = bool(self._native and self._native.mig())
        return refusal(uuid, mig=in_slices, readable=bool(self._counter or self._power))

    def _working(self, call: Callable[[], Any]) -> Callable[[], Any] | None:
        return None if self._known(call) is None else call

    def _known(self, call: Callable[[], Any] | None) -> Any:
        """What *call* answers, or ``None`` where the GPU or its driver cannot say."""
        from zeus.device.gpu import ZeusGPUFunctionNotFoundError, ZeusGPUNotSupportedError

        try:
            return None if call is None else call()
        except (ZeusGPUFunctionNotFoundError, ZeusGPUNotSupportedError):
            return None


def native(gpu: Any, session: NvmlSession | None) -> NvmlGpu | None:
    """NVML's own view of Zeus's *gpu*; ``None`` if it is not NVIDIA's.

    Raises:
        pynvml.NVMLError: the GPU is lost.
    """
    from zeus.device.gpu.nvidia import NVIDIAGPU

    if session is None or not isinstance(gpu, NVIDIAGPU):
        return None
    return NvmlGpu(session, session.nvml.nvmlDeviceGetUUID(gpu.handle))


def _uuid(gpu: Any, name: str) -> str:
    """The UUID that amdsmi gives, else a name and number that other cards share."""
    from zeus.device.gpu.amd import AMDGPU

    if isinstance(gpu, AMDGPU):
        import amdsmi

        return f"{AMD}{amdsmi.amdsmi_get_gpu_device_uuid(gpu.handle)}"
    return f"{name}-{gpu.gpu_index}"


def _full_name(name: str, uuid: str, index: int) -> str:
    if _two_dies(name):
        return f"{name} (both dies)"
    return f"{name} (it gives no UUID)" if uuid == f"{name}-{index}" else name


def _two_dies(name: str) -> bool:
    """MI250 and MI250X show as two GPUs, and the first of them draws for both."""
    return "MI250" in name
