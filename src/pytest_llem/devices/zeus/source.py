"""What the Zeus meter asks of each kind of device that Zeus sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pytest_llem.devices.meter import Device, Facts

MILLIJOULE = 0.001


class Seen(NamedTuple):
    """One look; ``None`` where the device gave nothing."""

    energy_j: float | None
    power_w: float | None


class ZeusSource(Protocol):
    """One device behind Zeus. Both may raise whatever Zeus raises."""

    device: Device

    def look(self) -> Seen:
        """Energy and power now."""
        ...

    def facts(self) -> Facts:
        """What changes slowly."""
        ...
