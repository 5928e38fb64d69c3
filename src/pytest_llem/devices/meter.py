"""What every meter offers, and what a reading is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Scope = Literal["gpu", "module", "package", "dram", "node", "process"]
"""What a reading covers: one GPU, a module of GPU, CPU and memory, a CPU package, a package's
memory, a whole machine, or (estimates only) the processes of the experiment."""
Method = Literal["counter", "integrated", "estimated"]
"""Where energy comes from: a hardware counter, integrated power, or a model of it."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a meter can say about a device."""

    scope: Scope
    method: Method
    resolution_j: float | None
    """Step of the energy counter in joules; ``None`` if there is none or it is unknown."""
    update_period_s: float | None
    """Refresh period in seconds as documented; ``None`` where it has to be observed."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a meter can read."""

    uuid: str
    """Stable identity across processes and orderings, such as ``GPU-8f6e…``."""
    name: str
    capability: Capability
    index: int | None = None
    """The vendor's own index, for people; never used to find the device again."""
    refusal: str | None = None
    """Why this device cannot be measured, as a sentence; ``None`` if it can."""
    covers_all: bool = False
    """Whether it covers every experiment, wherever that runs, so that there is nothing to
    choose from: a system on a chip, a replay."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a device.

    The call took from ``before_ns`` to ``after_ns`` (``time.monotonic_ns``); the
    values hold at some unknown instant between the two.
    """

    before_ns: int
    after_ns: int
    energy_j: float | None
    """Energy counter in joules since an arbitrary origin; ``None`` if it gave nothing."""
    power_w: float | None
    """Instantaneous power in watts; ``None`` if it gave nothing."""
    between_ns: int | None = None
    """Instant at which the energy had been given and the power not been asked for yet: each
    value then holds in its own part of the call. ``None`` if that is not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What changes slowly and explains energy; ``None`` is unknown."""

    time_ns: int
    temperature_c: float | None = None
    sm_clock_mhz: float | None = None
    power_limit_w: float | None = None
    throttle_reasons: tuple[str, ...] | None = None
    """Active reasons for lowered clocks by NVML's names in lower case; empty is none."""
    memory_bytes: int | None = None
    """Memory in use on the device."""
    slowed_ns: int | None = None
    """How long heat, a brake, the board's limit or its reliability guard slowed the device since an
    arbitrary origin, in nanoseconds; also what was too brief to be seen as a reason."""
    processes: tuple[int, ...] | None = None
    """Processes that compute on the device."""
    foreign_processes: tuple[int, ...] | None = None
    """Those of them that are not the experiment's; ``None`` if they cannot be told apart."""
    wraps: int | None = None
    """How often the meter carried the energy counter on since an arbitrary origin, because it
    had gone round its range."""
    graphics_processes: tuple[int, ...] | None = None
    """Processes that draw on the device, a display's server among them; none of them is known
    to be the experiment's."""


class CpuClock(Protocol):
    """CPU time that an experiment's processes have used."""

    def cpu_time_s(self) -> float:
        """CPU seconds since an arbitrary origin; never decreases."""
        ...


class Meter(Protocol):
    """Reads devices; opened in the supervising process."""

    name: ClassVar[str]

    def discover(self) -> Sequence[Device]:
        """The devices this meter can read; empty where there is nothing to measure."""
        ...

    def read(self, device: Device) -> Reading:
        """Energy and power now.

        Raises:
            MeterError: the device is gone.
        """
        ...

    def facts(self, device: Device) -> Facts:
        """Temperature, clocks, limits and memory now; unknown ones are ``None``."""
        ...

    def close(self) -> None:
        """Give the vendor's library back."""
        ...
