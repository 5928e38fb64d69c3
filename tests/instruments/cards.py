"""Cards as the double can be: what their sensors refresh, average and look at.

Refresh and window of the power fields, and the share of time they see: Yang, Adamek and
Armour, "Part-time Power Measurements: nvidia-smi's Lack of Attention", arXiv 2312.02741,
measured with drivers from 530 on; L4 is inferred from its generation. What the energy
counter looks at is not published. By default it sees all, refreshed as often as power;
``sampling`` makes it look at what the instant power field looks at.

    A100.gpu(curve, sampling=True, counter=Refresh(period_ns=100 * MS, jitter_ns=3 * MS))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instruments.gpu import MS, Gpu
from instruments.refresh import Refresh

if TYPE_CHECKING:
    from instruments.curve import Curve

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Card:
    """A model of GPU."""

    name: str
    refresh_ns: int = 100 * MS
    """Of the counter and of both power fields."""
    power_window_ns: int
    """What ``nvmlDeviceGetPowerUsage`` is the mean of."""
    instant_window_ns: int
    """What the instant power field is the mean of."""
    power_limit_mw: int
    memory_total: int

    @property
    def share(self) -> float:
        """How much of the time the instant power field sees."""
        return min(self.instant_window_ns / self.refresh_ns, 1.0)

    def gpu(self, curve: Curve, *, sampling: bool = False, **changes: Any) -> Gpu:
        """A GPU of this model under a curve, with any field of ``Gpu`` changed.

        Args:
            curve: its power.
            sampling: the counter sees as much of the time as the instant power field.
            changes: fields of ``Gpu``.
        """
        refresh = Refresh(period_ns=self.refresh_ns)
        own: dict[str, Any] = {
            "name": self.name,
            "counter": refresh,
            "counter_window_ns": self.instant_window_ns if sampling and self.share < 1 else 0,
            "power": refresh,
            "power_window_ns": self.power_window_ns,
            "instant": refresh,
            "instant_window_ns": self.instant_window_ns,
            "power_limit_mw": self.power_limit_mw,
            "default_power_limit_mw": self.power_limit_mw,
            "memory_total": self.memory_total,
        }
        return Gpu(curve=curve, **(own | changes))


V100 = Card(
    name="Tesla V100-SXM2-32GB",
    refresh_ns=20 * MS,
    power_window_ns=10 * MS,
    instant_window_ns=10 * MS,
    power_limit_mw=300_000,
    memory_total=32 * GIB,
)
T4 = Card(
    name="Tesla T4",
    power_window_ns=100 * MS,
    instant_window_ns=100 * MS,
    power_limit_mw=70_000,
    memory_total=15 * GIB,
)
A100 = Card(
    name="NVIDIA A100-SXM4-80GB",
    power_window_ns=25 * MS,
    instant_window_ns=25 * MS,
    power_limit_mw=400_000,
    memory_total=80 * GIB,
)
A10 = Card(
    name="NVIDIA A10",
    power_window_ns=1000 * MS,
    instant_window_ns=100 * MS,
    power_limit_mw=150_000,
    memory_total=22 * GIB,
)
L4 = Card(
    name="NVIDIA L4",
    power_window_ns=1000 * MS,
    instant_window_ns=100 * MS,
    power_limit_mw=72_000,
    memory_total=22 * GIB,
)
H100 = Card(
    name="NVIDIA H100 80GB HBM3",
    power_window_ns=1000 * MS,
    instant_window_ns=25 * MS,
    power_limit_mw=700_000,
    memory_total=80 * GIB,
)
CARDS = (V100, T4, A100, A10, L4, H100)
