"""A package that answers like CodeCarbon's hardware objects, with powers that a test sets.

Names and units are those of CodeCarbon 3.3: watts in ``Power.W``, kWh in ``Energy.kWh``.
``tests/devices/test_codecarbon_real.py`` asks the real one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

JOULES = 1 / 3.6e6
"""In kWh."""


@dataclass
class Machine:
    """What CodeCarbon would say of a machine."""

    cpu_w: float = 40.0
    ram_w: float = 20.0
    gpu_w: float | None = None
    """Of each GPU; ``None`` is none, and 0 is what cannot be read any more."""
    gpus: int = 1
    unread: set[int] = field(default_factory=set)
    """Indices of those that cannot be read any more."""
    second_dies: set[int] = field(default_factory=set)
    """Indices of those that are counted with the one before."""
    tdp_w: float | None = 120.0
    sockets: int = 2
    asked: int = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this be ``codecarbon`` for the rest of the test."""
        cpu = SimpleNamespace(from_utils=lambda *_: self._part(lambda: self.cpu_w))
        gpu = SimpleNamespace(from_utils=self._gpus)
        ram = SimpleNamespace(W=self.ram_w)
        tdp = SimpleNamespace(model="Example 9000", tdp=self.tdp_w)
        modules = [
            _module("codecarbon"),
            _module("codecarbon.core"),
            _module("codecarbon.external"),
            _module("codecarbon.core.cpu", TDP=lambda: tdp),
            _module("codecarbon.core.util", count_physical_cpus=lambda: self.sockets),
            _module("codecarbon.core.gpu", is_gpu_details_available=lambda: self.gpu_w is not None),
            _module("codecarbon.external.hardware", CPU=cpu, GPU=gpu, POWER_CONSTANT=85),
            _module(
                "codecarbon.external.ram",
                RAM=lambda **_: SimpleNamespace(total_power=lambda: ram),
            ),
        ]
        for module in modules:
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def _gpus(self) -> SimpleNamespace:
        devices = [_Gpu(index, self) for index in range(self.gpus)]
        part = self._part(lambda: sum(one.power.W for one in devices))
        part.num_gpus = self.gpus
        part.devices = SimpleNamespace(
            devices=devices,
            get_gpu_static_info=lambda: [{"name": "NVIDIA L4"}] * self.gpus,
        )
        return part

    def _part(self, power_w: Any) -> SimpleNamespace:
        def measure(seconds: float) -> tuple[SimpleNamespace, SimpleNamespace]:
            self.asked += 1
            watts = power_w()
            return SimpleNamespace(W=watts), SimpleNamespace(kWh=watts * seconds * JOULES)

        return SimpleNamespace(start=lambda: None, measure_power_and_energy=measure)


@dataclass
class _Gpu:
    """One GPU, as it was when it was asked last."""

    gpu_index: int
    machine: Machine

    @property
    def power(self) -> SimpleNamespace:
        nothing = self.machine.unread | self.machine.second_dies
        return SimpleNamespace(W=0.0 if self.gpu_index in nothing else self.machine.gpu_w or 0.0)

    @property
    def energy_delta(self) -> SimpleNamespace:
        return SimpleNamespace(kWh=self.power.W * JOULES)

    def _reports_zero_power_by_design(self) -> bool:
        return self.gpu_index in self.machine.second_dies


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module
