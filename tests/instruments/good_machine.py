"""A machine that is set up well, and the same with one thing wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.results.environment import Environment, Gpu
from pytest_llem.runs.doctor.gpus import gpu_findings
from pytest_llem.runs.doctor.processors import processor_findings
from pytest_llem.runs.doctor.seen import Nvidia, Seen

if TYPE_CHECKING:
    from pytest_llem.results.diagnosis import Finding


UUID = "GPU-1"
CARD = Device(UUID, "NVIDIA H100 80GB HBM3", Capability("gpu", "counter", 0.001, None), 0)
GPU = Gpu(
    uuid=UUID,
    name=CARD.name,
    index=0,
    power_limit_w=700.0,
    default_power_limit_w=700.0,
    persistence=True,
    ecc=True,
    ecc_pending=True,
    mig=False,
    mig_pending=False,
    pcie_width=16,
    max_pcie_width=16,
)
FACTS = Facts(0, temperature_c=40.0, throttle_reasons=("gpu_idle",), processes=())
MACHINE = Environment(
    cpu_model="AMD EPYC 9654",
    governor="performance",
    scaling_driver="acpi-cpufreq",
    turbo=False,
    steal_share=0.0,
    memory_bytes=64 << 30,
    memory_available_bytes=32 << 30,
    swap_bytes=8 << 30,
    swap_used_bytes=0,
    container=False,
    packages={"pytest": "9.2.0"},
    gpus=(GPU,),
)
GOOD = Seen(
    environment=MACHINE,
    environ={},
    project=Path(),
    nvidia=Nvidia((CARD,), {UUID: FACTS}, hardware=True, device_files=True),
    busy_share=0.02,
    steal_share=0.0,
    cpu_temperature_c=50.0,
    perf_paranoia=2,
    affinity=8,
)


def put(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def machine(**changes: Any) -> Seen:
    return replace(GOOD, environment=MACHINE.model_copy(update=changes))


def card(**changes: Any) -> Seen:
    return machine(gpus=(GPU.model_copy(update=changes),))


def facts(**changes: Any) -> Seen:
    return replace(GOOD, nvidia=replace(GOOD.nvidia, facts={UUID: replace(FACTS, **changes)}))


def nvidia(**changes: Any) -> Seen:
    without = replace(GOOD.nvidia, devices=(), facts={})
    return replace(machine(gpus=None), nvidia=replace(without, **changes))


def found(seen: Seen) -> list[Finding]:
    return [*gpu_findings(seen), *processor_findings(seen)]
