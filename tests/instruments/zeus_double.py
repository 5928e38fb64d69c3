"""A package that answers like ``zeus.device``, for machines and vendors that are not here.

Names, units and errors are those of Zeus 0.16: energies in mJ, powers in mW, errors by kind.
``tests/devices/test_zeus_real.py`` asks the real one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class GpuInitError(Exception):
    pass


class GpuNotSupportedError(Exception):
    pass


class GpuFunctionNotFoundError(Exception):
    pass


class CPUNoPermissionError(Exception):
    pass


class CpuInitError(Exception):
    pass


class SocInitError(Exception):
    pass


class NvidiaGpu:
    """Marks GPUs of which NVML could be asked; there are none here."""


@dataclass
class AnyGpu:
    """One GPU; ``None`` is a value that it does not support."""

    gpu_index: int = 0
    name: str = "AMD Instinct MI300X"
    uuid: str = "fcff74a1-0000-1000-80e6-000000000000"
    energy_mj: int | None = 5_000_000
    instant_mw: int | None = 250_000
    average_mw: int | None = 240_000
    temperature_c: int | None = 51
    limit_mw: int | None = 750_000
    lost: str = ""

    @property
    def handle(self) -> AnyGpu:
        return self

    def get_name(self) -> str:
        return self.name

    def supports_get_total_energy_consumption(self) -> bool:
        return self.energy_mj is not None

    def get_total_energy_consumption(self) -> int:
        return self._value(self.energy_mj)

    def get_instant_power_usage(self) -> int:
        return self._value(self.instant_mw)

    def get_average_power_usage(self) -> int:
        return self._value(self.average_mw)

    def get_gpu_temperature(self) -> int:
        return self._value(self.temperature_c)

    def get_power_management_limit(self) -> int:
        return self._value(self.limit_mw)

    def _value(self, value: int | None) -> int:
        if self.lost:
            raise RuntimeError(self.lost)
        if value is None:
            raise GpuNotSupportedError("Not supported on this AMD GPU.")
        return value


class AmdGpu(AnyGpu):
    """Of which amdsmi says the UUID."""


class OtherGpu(AnyGpu):
    """A GPU of a maker whose library gives Zeus no UUID."""


@dataclass
class Soc:
    """A chip; its class is called after the maker, as Zeus's are."""

    energies_mj: dict[str, float | None]

    def get_available_metrics(self) -> set[str]:
        return {name for name, value in self.energies_mj.items() if value is not None}

    def get_total_energy_consumption(self) -> SimpleNamespace:
        return SimpleNamespace(**self.energies_mj)


class Jetson(Soc):
    pass


class AppleSilicon(Soc):
    pass


@dataclass
class Cpu:
    cpu_index: int
    cpu_mj: float
    dram_mj: float | None = None

    def get_total_energy_consumption(self) -> SimpleNamespace:
        return SimpleNamespace(cpu_mj=self.cpu_mj, dram_mj=self.dram_mj)

    def supports_get_dram_energy_consumption(self) -> bool:
        return self.dram_mj is not None


@dataclass
class Machine:
    """What the stand-in sees; empty of everything until a test says otherwise."""

    gpus: list[AnyGpu] = field(default_factory=list)
    soc: Soc | None = None
    cpus: list[Cpu] = field(default_factory=list)
    rapl_dir: Path | None = None
    errors: dict[str, Exception] = field(default_factory=dict)
    """Instead of a layer (``gpus``, ``soc``, ``cpus``), what asking for it raises."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this be ``zeus`` and ``amdsmi`` for the rest of the test."""
        device = _module("zeus.device", get_gpus=self._gpus, get_soc=self._soc, get_cpus=self._cpus)
        modules = [
            _module("zeus", device=device),
            device,
            _module(
                "zeus.device.gpu",
                ZeusGPUInitError=GpuInitError,
                ZeusGPUNotSupportedError=GpuNotSupportedError,
                ZeusGPUFunctionNotFoundError=GpuFunctionNotFoundError,
            ),
            _module("zeus.device.gpu.nvidia", NVIDIAGPU=NvidiaGpu),
            _module("zeus.device.gpu.amd", AMDGPU=AmdGpu),
            _module("zeus.device.cpu", ZeusCPUInitError=CpuInitError),
            _module("zeus.device.soc", ZeusSoCInitError=SocInitError),
            _module("amdsmi", amdsmi_get_gpu_device_uuid=lambda gpu: gpu.uuid),
        ]
        for module in modules:
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def _gpus(self) -> SimpleNamespace:
        self._fail("gpus")
        if not self.gpus:
            raise GpuInitError("NVML and AMDSMI unavailable.")
        return SimpleNamespace(gpus=self.gpus)

    def _soc(self) -> Soc:
        self._fail("soc")
        if self.soc is None:
            raise SocInitError("No observable SoC was found on the current machine.")
        return self.soc

    def _cpus(self) -> SimpleNamespace:
        self._fail("cpus")
        if not self.cpus:
            raise CpuInitError("RAPL unvailable.")
        return SimpleNamespace(cpus=self.cpus, rapl_dir=self.rapl_dir)

    def _fail(self, layer: str) -> None:
        if layer in self.errors:
            raise self.errors[layer]


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module
