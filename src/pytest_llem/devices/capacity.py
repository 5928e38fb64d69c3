"""How much memory the devices of an experiment have; CUDA is not initialised for it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device

AMD_DRIVER = Path("/dev/kfd")
HOST = "the host"


@dataclass(frozen=True, slots=True)
class Capacity:
    """The devices of an experiment."""

    name: str
    """Model of the device, or :data:`HOST`."""
    total_bytes: int
    """Memory of one device; of the smallest where they differ."""
    devices: int
    is_gpu: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What memory there is."""

    gpus: tuple[Device, ...] = ()
    """In the order of their PCI bus ids."""
    gpu_bytes: Mapping[str, int | None] | None = None
    """By UUID."""
    host_bytes: int | None = None
    other_gpus: bool = False
    """Whether there are GPUs whose memory is not read here."""

    def capacity(self, config: ExperimentConfig, environ: Mapping[str, str]) -> Capacity | str:
        """The devices of *config*, or why their memory is not known."""
        if self.gpus:
            from pytest_llem.devices.assignment import devices_for

            try:
                used = devices_for(config, self.gpus, environ)
            except (ConfigError, MeterError) as error:
                return str(error)
            if used:
                return self._of_gpus(used)
        if config.device.startswith("cuda"):
            return "no NVIDIA GPU is here"
        if config.device != "cpu" and self.other_gpus:
            return "the memory of this machine's GPUs is not read here"
        if self.host_bytes is None:
            return "the memory of this machine is not known"
        return Capacity(HOST, self.host_bytes, 1, is_gpu=False)

    def _of_gpus(self, used: Sequence[Device]) -> Capacity | str:
        sizes = [(self.gpu_bytes or {}).get(gpu.uuid) for gpu in used]
        known = [size for size in sizes if size]
        if len(known) < len(sizes):
            return f"the driver does not say how much memory {used[0].name} has"
        smallest = min(range(len(known)), key=known.__getitem__)
        return Capacity(used[smallest].name, known[smallest], len(used), is_gpu=True)


def machine_here(host_bytes: Callable[[], int | None]) -> Machine:
    """This machine, by NVML where there is a driver, and *host_bytes* for main memory."""
    from pytest_llem.devices.nvml.meter import NvmlMeter, driver_facts

    try:
        with closing(NvmlMeter()) as meter:
            gpus = tuple(meter.discover())
            facts = driver_facts() if gpus else None
    except MeterError:
        return Machine(other_gpus=True, host_bytes=host_bytes())
    sizes = {gpu["uuid"]: gpu["memory_bytes"] for gpu in (facts or {}).get("gpus", ())}
    return Machine(gpus, sizes, host_bytes(), other_gpus=not gpus and AMD_DRIVER.exists())
