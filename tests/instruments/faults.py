"""What goes wrong with a GPU of the double, and when.

Instants are absolute ``CLOCK_MONOTONIC`` nanoseconds, as those of curves. A fault
strikes the calls that it names, by the words of ``Gpu.unsupported``; one that names none
strikes all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum

from instruments.spelling import spell_ns

READINGS = ("counter", "power", "instant")
"""Energy counter, ``nvmlDeviceGetPowerUsage``, and the field of instant power."""


class Code(IntEnum):
    """Return codes of nvml.h that faults are made of."""

    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    NO_DATA = 21
    UNKNOWN = 999


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """Something that is wrong from ``start_ns`` to before ``end_ns``."""

    start_ns: int | None = None
    """``None`` is since ever."""
    end_ns: int | None = None
    """``None`` is for ever."""
    every: int = 1
    """Only every so manyth call that it would strike."""
    calls: tuple[str, ...] = ()

    def at(self, t_ns: int) -> bool:
        """Whether it is wrong at *t_ns*."""
        begun = self.start_ns is None or t_ns >= self.start_ns
        return begun and (self.end_ns is None or t_ns < self.end_ns)

    def strikes(self, call: str, t_ns: int) -> bool:
        """Whether a call is struck, for faults that do not count calls."""
        return self.at(t_ns) and (not self.calls or call in self.calls)

    def script(self, origin_ns: int) -> str:
        words = [self._said()]
        if self.start_ns is not None:
            words.append(f"from={spell_ns(self.start_ns - origin_ns)}")
        if self.end_ns is not None:
            words.append(f"to={spell_ns(self.end_ns - origin_ns)}")
        if self.every != 1:
            words.append(f"every={self.every}")
        return " ".join(words)

    @abstractmethod
    def _said(self) -> str:
        """The statement without its times."""


@dataclass(frozen=True, kw_only=True)
class Lost(Fault):
    """Every call fails with GPU_IS_LOST."""

    def _said(self) -> str:
        return " ".join(("lost", *self.calls))


@dataclass(frozen=True, kw_only=True)
class Error(Fault):
    """Calls fail with a return code."""

    code: int = Code.UNKNOWN

    def _said(self) -> str:
        return " ".join(("error", f"{int(self.code)}", *self.calls))


@dataclass(frozen=True, kw_only=True)
class Zero(Fault):
    """Readings are 0."""

    calls: tuple[str, ...] = READINGS

    def _said(self) -> str:
        return " ".join(("zero", *self.calls))


@dataclass(frozen=True, kw_only=True)
class Spike(Fault):
    """Readings of one kind are off by so much, never below 0."""

    call: str
    by: int
    """In mJ (counter) or mW (power, instant)."""

    def strikes(self, call: str, t_ns: int) -> bool:
        return call == self.call and self.at(t_ns)

    def _said(self) -> str:
        return f"spike {self.call} {self.by}"


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """Calls take so much longer; their value is that of their middle."""

    duration_ns: int = 50_000_000

    def _said(self) -> str:
        return " ".join(("slow", spell_ns(self.duration_ns), *self.calls))


@dataclass(frozen=True, kw_only=True)
class Stall(Fault):
    """Readings stand still at what they were at ``start_ns``, which has to be given."""

    calls: tuple[str, ...] = READINGS

    def _said(self) -> str:
        return " ".join(("stall", *self.calls))


@dataclass(frozen=True, kw_only=True)
class Reset:
    """The energy counter starts again, as after the driver was loaded again.

    The next refresh shows it.
    """

    at_ns: int
    to_mj: int = 0

    def script(self, origin_ns: int) -> str:
        return f"reset at={spell_ns(self.at_ns - origin_ns)} to_mj={self.to_mj}"
