"""When an instrument shows a new value: the same instants as in ``driver/sensor.c``."""

from __future__ import annotations

from dataclasses import dataclass

from instruments.spelling import spell_ns

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Refresh:
    """New values at ``k · period_ns + phase_ns``, each late by up to ``jitter_ns``.

    Instants are absolute ``CLOCK_MONOTONIC`` nanoseconds. A period of 0 shows every
    instant as it is.
    """

    period_ns: int = 0
    phase_ns: int = 0
    jitter_ns: int = 0
    """Below the period; lateness is uniform, decided by a hash of ``seed`` and ``k``."""
    seed: int = 0

    def last(self, t_ns: int) -> int:
        """The latest refresh at or before *t_ns*."""
        return self.instant(self.number(t_ns)) if self.period_ns else t_ns

    def number(self, t_ns: int) -> int:
        """The number of that refresh; there are none without a period."""
        k = (t_ns - self.phase_ns) // self.period_ns
        return k if self.instant(k) <= t_ns else k - 1

    def instant(self, k: int) -> int:
        """The refresh with number *k*; numbers count from boot and may be negative."""
        late = _mix(_mix(self.seed) + k) % self.jitter_ns if self.jitter_ns else 0
        return k * self.period_ns + self.phase_ns + late

    def script(self) -> str:
        times = zip(
            ("refresh", "phase", "jitter"),
            (self.period_ns, self.phase_ns, self.jitter_ns),
            strict=True,
        )
        spelled = " ".join(f"{name}={spell_ns(ns)}" for name, ns in times)
        return f"{spelled} seed={self.seed}"


def _mix(x: int) -> int:
    """splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
