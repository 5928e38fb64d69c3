"""GPUs, from what their driver said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llem.results.environment.snapshot import Gpu
from pytest_llem.results.environment.tolerant import tolerant

if TYPE_CHECKING:
    from pathlib import Path


def gpus(driver_facts: Mapping[str, Any] | None, system: Path) -> tuple[Gpu, ...] | None:
    """The driver's GPUs; a field of another type than it should have is unknown."""
    found = (driver_facts or {}).get("gpus")
    if not isinstance(found, Iterable):
        return None
    described = (tolerant(Gpu, facts) for facts in found if isinstance(facts, Mapping))
    return tuple(
        gpu.model_copy(update={"numa_node": _numa_node(gpu.pci_bus_id, system)})
        for gpu in described
    )


def _numa_node(pci_bus_id: str | None, system: Path) -> int | None:
    """The memory that the GPU is nearest to, as the kernel says; ``None`` where there is but one.

    NVML writes a domain of eight digits, sysfs one of four.
    """
    domain, _, rest = (pci_bus_id or "").lower().partition(":")
    try:
        address = f"{int(domain, 16):04x}:{rest}"
        node = int((system / "sys/bus/pci/devices" / address / "numa_node").read_text())
    except (OSError, ValueError):
        return None
    return node if node >= 0 else None
