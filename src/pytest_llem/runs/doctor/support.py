"""This machine's place in the hardware support matrix."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from pytest_llem.devices.estimate import cpu_name
from pytest_llem.devices.support.matrix import Present, places
from pytest_llem.results.diagnosis import Supported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.results.diagnosis import MeterState
    from pytest_llem.results.environment import Environment

SYSTEM = f"{sys.platform}-{platform.machine().lower()}"


def supported(
    environment: Environment, meters: tuple[MeterState, ...], system: str = SYSTEM
) -> tuple[Supported, ...]:
    """The matrix on every device that is here, the particular before the general."""
    return tuple(row for device in _present(environment, meters, system) for row in _rows(device))


def _present(
    environment: Environment, meters: tuple[MeterState, ...], system: str
) -> Iterator[Present]:
    alike = {(gpu.name or "unnamed GPU", bool(gpu.mig)) for gpu in environment.gpus or ()}
    for name, mig in sorted(alike):
        yield Present("gpu", name, system, mig)
    for meter in meters:
        if meter.meter == "zeus":
            for name in sorted(set(meter.devices) - {name for name, _ in alike}):
                yield Present("soc" if "module" in meter.scopes else "gpu", name, system)
    yield Present("cpu", environment.cpu_model or cpu_name(), system)


def _rows(device: Present) -> Iterator[Supported]:
    found = places(device)
    if not found:
        yield Supported(device=device.name, status="unknown")
    for entry in found:
        yield Supported(
            device=device.name,
            status=entry.status,
            entry=entry.device,
            meter=entry.meter,
            scope=entry.scope,
            method=entry.method,
            privileges=entry.privileges,
            date=entry.date.isoformat(),
            note=entry.note,
        )
