"""NVIDIA GPUs through the driver's management library, NVML."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import Any, ClassVar

from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.devices.nvml.gpu import NvmlGpu, PowerField
from pytest_llem.devices.nvml.session import NoDriverError, NvmlSession
from pytest_llem.errors import MeterError

COUNTER_STEP_J = 0.001
"""nvmlDeviceGetTotalEnergyConsumption counts millijoules; it refreshes far more coarsely."""


class NvmlMeter:
    """Reads GPUs by UUID; NVML is started on first use and may be shared by many meters.

    A value that the driver does not support is ``None``, and so is a zero, which no
    running GPU draws.
    """

    name: ClassVar[str] = "nvml"
    api_version: ClassVar[int] = 1

    def __init__(self) -> None:
        self._session: NvmlSession | None = None
        self._gpus: dict[str, NvmlGpu] = {}
        self.absence: str | None = None
        """Why ``discover`` found nothing; ``None`` until it has found nothing."""

    def discover(self) -> list[Device]:
        """All GPUs in the order of their PCI bus ids; empty without a driver.

        GPUs in MIG mode and GPUs without any sensor are listed with a ``refusal``;
        lost ones are left out, as CUDA does.

        Raises:
            MeterError: there is a driver, and NVML does not start.
        """
        try:
            session = self._open()
        except NoDriverError as error:
            self.absence = str(error)
            return []
        self._gpus = {gpu.uuid: gpu for gpu in _gpus(session)}
        if not self._gpus:
            self.absence = "the NVIDIA driver lists no GPU"
        return [_device(gpu) for gpu in self._gpus.values()]

    def read(self, device: Device) -> Reading:
        """Energy counter and power now; the stamps enclose both calls of the driver, and part them.

        Raises:
            MeterError: the GPU is lost, unknown, or must not be measured (MIG).
        """
        if device.refusal is not None:
            raise MeterError(device.refusal)
        session = self._open()
        try:
            gpu = self._gpu(session, device.uuid)
            if gpu.sliced:
                raise MeterError(refusal(gpu.uuid, mig=True, readable=True))
            before_ns = time.monotonic_ns()
            energy_j = gpu.energy_j()
            between_ns = time.monotonic_ns()
            power_w = gpu.power_w()
            after_ns = time.monotonic_ns()
        except session.nvml.NVMLError as error:
            raise session.gone(device.uuid, error) from error
        return Reading(before_ns, after_ns, energy_j, power_w, between_ns)

    def facts(self, device: Device) -> Facts:
        """Slow values now; all ``None`` if the GPU is lost, which ``read`` reports."""
        session = self._open()
        try:
            return self._gpu(session, device.uuid).facts()
        except session.nvml.NVMLError:
            return Facts(time_ns=time.monotonic_ns())

    def power_field(self, device: Device) -> PowerField | None:
        """Where the GPU's power comes from; ``None`` if it has no power reading.

        Raises:
            MeterError: the GPU is lost or unknown.
        """
        session = self._open()
        try:
            return self._gpu(session, device.uuid).power_field
        except session.nvml.NVMLError as error:
            raise session.gone(device.uuid, error) from error

    def close(self) -> None:
        """Give NVML back; reading again starts it again."""
        if self._session is not None:
            self._gpus.clear()
            self._session.close()
            self._session = None

    def _open(self) -> NvmlSession:
        if self._session is None:
            self._session = NvmlSession()
        return self._session

    def _gpu(self, session: NvmlSession, uuid: str) -> NvmlGpu:
        if uuid not in self._gpus:
            self._gpus[uuid] = NvmlGpu(session, uuid)
        return self._gpus[uuid]


def driver_facts() -> dict[str, Any] | None:
    """Driver and GPUs for the environment snapshot; ``None`` without a working driver.

    ``driver_version``, ``cuda_driver_version`` (such as ``13.0``) and ``gpus``, a list
    in PCI order with ``uuid, name, index, power_limit_w, memory_bytes,
    max_sm_clock_mhz, persistence, ecc, mig, pci_bus_id`` and what
    :func:`~pytest_llem.devices.nvml.settings.gpu_settings` tells; unknown values are ``None``.
    """
    try:
        session = NvmlSession()
    except MeterError:
        return None
    with closing(session):
        return {
            "driver_version": session.known(session.nvml.nvmlSystemGetDriverVersion),
            "cuda_driver_version": _cuda_version(session),
            "gpus": [_gpu_facts(gpu) for gpu in _gpus(session)],
        }


def _gpus(session: NvmlSession) -> list[NvmlGpu]:
    """The GPUs that answer, in PCI order."""
    nvml = session.nvml
    gpus = []
    for index in range(session.known(nvml.nvmlDeviceGetCount) or 0):
        with suppress(nvml.NVMLError):
            uuid = nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(index))
            gpus.append(NvmlGpu(session, uuid))
    return sorted(gpus, key=lambda gpu: gpu.pci_bus_id() or "")


def _device(gpu: NvmlGpu) -> Device:
    return Device(
        uuid=gpu.uuid,
        name=gpu.name() or "NVIDIA GPU",
        capability=Capability(
            scope="gpu",
            method="counter" if gpu.has_counter else "integrated",
            resolution_j=COUNTER_STEP_J if gpu.has_counter else None,
            update_period_s=None,
        ),
        index=gpu.index(),
        refusal=refusal(
            gpu.uuid,
            mig=bool(gpu.mig()),
            readable=gpu.has_counter or gpu.power_field is not None,
        ),
    )


def refusal(uuid: str, *, mig: bool, readable: bool) -> str | None:
    """Why a GPU cannot be measured; ``None`` if it can.

    Args:
        uuid: which one.
        mig: whether it is cut into slices.
        readable: whether it has an energy counter or a power reading.
    """
    if mig:
        return (
            f"GPU {uuid} is in MIG mode: its slices share one sensor, so energy cannot be "
            "attributed to one of them. Switch MIG off (nvidia-smi -mig 0) or use another GPU."
        )
    if not readable:
        return (
            f"GPU {uuid} has neither an energy counter nor a power reading, "
            "so its energy cannot be measured. Use another GPU."
        )
    return None


def _gpu_facts(gpu: NvmlGpu) -> dict[str, Any]:
    return {
        "uuid": gpu.uuid,
        "name": gpu.name(),
        "index": gpu.index(),
        "power_limit_w": gpu.power_limit_w(),
        "memory_bytes": gpu.memory_bytes(),
        "max_sm_clock_mhz": gpu.max_sm_clock_mhz(),
        "persistence": gpu.persistence(),
        "ecc": gpu.ecc(),
        "mig": gpu.mig(),
        "pci_bus_id": gpu.pci_bus_id(),
        **gpu.settings(),
    }


def _cuda_version(session: NvmlSession) -> str | None:
    version = session.known(session.nvml.nvmlSystemGetCudaDriverVersion_v2)
    return None if version is None else f"{version // 1000}.{version % 1000 // 10}"
