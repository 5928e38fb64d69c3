"""Whatever Zeus sees: NVIDIA and AMD GPUs, CPU packages, Jetson and Apple chips.

Zeus (https://ml.energy/zeus) has one interface for the makers' libraries, ``zeus.device``.
"""

from __future__ import annotations

import platform
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.devices.hushed import hushed
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.devices.nvml.session import NvmlSession
from pytest_llem.devices.zeus.chip import ZeusChip
from pytest_llem.devices.zeus.gpu import ZeusGpu, native
from pytest_llem.devices.zeus.layers import LOGGER, said, trouble, zeus_layers
from pytest_llem.devices.zeus.package import packages
from pytest_llem.errors import MeterError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llem.devices.zeus.source import ZeusSource

AMD_DRIVER = Path("/dev/kfd")
JETSON = (Path("/etc/nv_tegra_release"), Path("/usr/lib/aarch64-linux-gnu/tegra"))


class ZeusMeter:
    """Reads devices through ``zeus.device``, which stays open as long as the process lives.

    A value that Zeus cannot give is ``None``, and so is a zero, which no running GPU draws.
    """

    name: ClassVar[str] = "zeus"
    api_version: ClassVar[int] = 1

    def __init__(self) -> None:
        self._sources: dict[str, ZeusSource] = {}
        self._session: NvmlSession | None = None
        self.absence: str | None = None
        """Why ``discover`` found nothing; ``None`` until it has found nothing."""

    @staticmethod
    def hopeless() -> str | None:
        """Why there is nothing here that only Zeus could read; it is not imported.

        ``None`` where it is worth a try; empty where there is nothing to say.
        """
        maker = _accelerator()
        if maker and find_spec("zeus") is None:
            return f"{maker} is there, but {MissingExtraError('zeus', 'zeus')}"
        return None if maker else ""

    def discover(self) -> list[Device]:
        """All that Zeus sees: GPUs, then the chip, then CPU packages.

        What may not be read is listed with a ``refusal``.

        Raises:
            MissingExtraError: Zeus is not installed.
            MeterError: there are devices, and none of them may be read.
        """
        layers = zeus_layers()
        troubles = list(layers.troubles)
        self._sources = {}
        kinds: tuple[tuple[str, Any, Callable[[Any], Iterable[ZeusSource]]], ...] = (
            ("GPUs", layers.gpus, self._gpus),
            ("system on a chip", layers.soc, lambda soc: [ZeusChip(soc)]),
            ("CPU packages", layers.cpus, packages),
        )
        with hushed(LOGGER):
            for what, layer, sources in kinds:
                try:
                    found = [] if layer is None else list(sources(layer))
                except Exception as error:  # noqa: BLE001 - whatever a maker's library raises
                    troubles.append(trouble(what, error))
                else:
                    self._sources |= {source.device.uuid: source for source in found}
        if troubles and not self._sources:
            raise troubles[0]
        if not self._sources:
            self.absence = "; ".join(layers.absences) or "Zeus lists no device"
        devices = [source.device for source in self._sources.values()]
        return [*devices, *(_refused(number, error) for number, error in enumerate(troubles))]

    def read(self, device: Device) -> Reading:
        """Energy and power now; the stamps enclose both calls.

        Raises:
            MeterError: the device is lost, unknown, or must not be measured.
        """
        if device.refusal is not None:
            raise MeterError(device.refusal)
        source = self._source(device)
        before_ns = time.monotonic_ns()
        try:
            seen = source.look()
        except Exception as error:
            raise MeterError(
                f"{device.uuid} cannot be read any more through Zeus: {said(error)}. Look at the "
                "maker's own tool (nvidia-smi, amd-smi) and at the kernel log (`dmesg`)."
            ) from error
        return Reading(before_ns, time.monotonic_ns(), seen.energy_j, seen.power_w)

    def facts(self, device: Device) -> Facts:
        """Slow values now; all ``None`` if the device is lost, which ``read`` reports."""
        try:
            return self._source(device).facts()
        except Exception:  # noqa: BLE001 - whatever a maker's library raises
            return Facts(time_ns=time.monotonic_ns())

    def close(self) -> None:
        """Forget the devices; Zeus itself has no end."""
        self._sources = {}
        if self._session is not None:
            self._session.close()
            self._session = None

    def _source(self, device: Device) -> ZeusSource:
        if not self._sources:
            self.discover()
        if device.uuid not in self._sources:
            raise MeterError(f"Zeus does not list {device.uuid} any more. Restart the run.")
        return self._sources[device.uuid]

    def _gpus(self, gpus: Any) -> list[ZeusGpu]:
        """GPUs in the order of their PCI bus ids, or of HIP."""
        seen = [gpu.gpu_index for gpu in gpus.gpus]
        if sorted(seen) != list(range(len(seen))):
            raise MeterError(
                f"Zeus shows only the GPUs {seen}, as somebody asked it in this process before, "
                "while CUDA_VISIBLE_DEVICES hid the others. Take the meter nvml, or ask Zeus later."
            )
        listed = [ZeusGpu(gpu, native(gpu, self._nvml())) for gpu in gpus.gpus]
        return sorted(listed, key=ZeusGpu.place)

    def _nvml(self) -> NvmlSession | None:
        """NVML for what Zeus does not tell of NVIDIA's GPUs; ``None`` where there is none."""
        if self._session is None:
            try:
                self._session = NvmlSession()
            except MeterError:
                return None
        return self._session


def _refused(number: int, error: MeterError) -> Device:
    """Stands for devices that are there and may not be read."""
    capability = Capability("package", "counter", None, None)
    return Device(f"zeus:refused-{number}", "unreadable", capability, refusal=str(error))


def _accelerator() -> str | None:
    """What is here that Zeus reads and ``nvml`` does not, by the traces of its driver."""
    if AMD_DRIVER.exists():
        return "an AMD GPU"
    if any(path.exists() for path in JETSON):
        return "an NVIDIA Jetson"
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return "Apple Silicon" if apple else None
