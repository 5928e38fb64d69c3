"""A GPU of the double, and what its instruments show by code of their own."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from instruments.course import Course, course
from instruments.faults import Fault, Lost, Reset, Spike, Stall, Zero
from instruments.refresh import Refresh
from instruments.spelling import spell_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.curve import Curve
    from instruments.tenants import Process, Slice

MS = 1_000_000
EVERY_100_MS = Refresh(period_ns=100 * MS)
COUNTER_ROUNDING = 1e-6
"""Of a step: what the double adds before it cuts a value off to whole steps."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU of the double; sensors default to an H100's (``cards.py`` has others).

    Instants are absolute ``CLOCK_MONOTONIC`` nanoseconds. Values that a ``Course`` may
    give change over time.
    """

    curve: Curve
    uuid: str = "GPU-00000000-0000-4000-8000-000000000000"
    name: str = "NVIDIA H100 80GB HBM3"
    pci: str = "00000000:1B:00.0"
    origin_ns: int = 0
    """Where the energy counter starts to count; 0 is boot."""
    counter: Refresh = EVERY_100_MS
    counter_window_ns: int = 0
    """How much of each refresh the counter looks at, at its end; the power of that time is
    taken for all of it. 0 is all, as is the time before ``sampled_from_ns``."""
    sampled_from_ns: int = field(default_factory=time.monotonic_ns)
    """From when on the counter looks at its window only; now, unless said."""
    counter_gain: float = 1.0
    """What the counter counts for each joule."""
    counter_resolution_mj: int = 1
    counter_start_mj: int = 0
    """What the counter shows at its origin."""
    counter_modulus_mj: int = 0
    """Where the counter wraps to 0; 0 is nowhere."""
    power: Refresh = EVERY_100_MS
    """Of ``nvmlDeviceGetPowerUsage``."""
    power_window_ns: int = 1000 * MS
    """What a power reading is the mean of; 0 is the instant of the refresh."""
    power_lag_ns: int = 0
    """Time constant of a sensor that follows slowly, instead of a window; 0 is none."""
    power_gain: float = 1.0
    power_resolution_mw: int = 1
    instant: Refresh = EVERY_100_MS
    """Of the field ``NVML_FI_DEV_POWER_INSTANT``."""
    instant_window_ns: int = 25 * MS
    instant_lag_ns: int = 0
    instant_gain: float = 1.0
    instant_resolution_mw: int = 1
    delay_us: int = 0
    """How long a call takes; the value is that of its middle."""
    temperature_c: float | Course = 41
    sm_clock_mhz: float | Course = 1755
    max_sm_clock_mhz: int = 1980
    power_limit_mw: float | Course = 700_000
    default_power_limit_mw: int = 700_000
    throttle: float | Course = 0
    """Bits of the clock event reasons; while they are set, violation counters count."""
    violation: float | Course = 0
    """Bits for which violation counters count besides: slowed too briefly to be seen."""
    memory_total: int = 85_520_809_984
    memory_used: float | Course = 1_073_741_824
    mig: float | Course = 0
    slices: tuple[Slice, ...] = ()
    processes: tuple[Process, ...] = ()
    persistence: int = 1
    ecc: int = 1
    ecc_pending: int = 1
    """What it will be after the next reset."""
    min_power_limit_mw: int = 200_000
    max_power_limit_mw: int = 700_000
    application_sm_clock_mhz: int = 1980
    pcie_generation: int = 5
    pcie_width: int = 16
    nvlinks: int = 18
    """How many it has; the first half of them is up."""
    faults: tuple[Fault | Reset, ...] = ()
    lost_at_ns: int | None = None
    """From when on every call fails with GPU_IS_LOST; ``None`` is never."""
    lost_after_reads: int = 0
    """After so many reads of the energy counter every call fails likewise; 0 is never."""
    zero_every: int = 0
    """Every so manyth energy, and every so manyth power value is 0; 0 is never."""
    unsupported: tuple[str, ...] = ()
    """Of counter, power, instant, field_values, limit, throttle, event_reasons, temperature,
    sm_clock, memory_clock, application_clocks, pcie, nvlink, mig, ecc, memory, pci, persistence, violation, processes, processes_v2,
    processes_v3."""

    def counter_mj(self, t_ns: int) -> int:
        """What the energy counter shows at *t_ns*, by the curve's own integral.

        With its resets and wraps; what ``faults`` do to single readings is left out.
        """
        shown_ns = self.counter.last(t_ns)
        known = [f for f in self.faults if isinstance(f, Reset) and f.at_ns <= shown_ns]
        known.reverse()  # of two at one instant the later statement holds
        reset = max(known, key=lambda reset: reset.at_ns, default=None)
        energy_mj = self._counted_mj(shown_ns) - (self._counted_mj(reset.at_ns) if reset else 0)
        steps = math.floor(energy_mj / self.counter_resolution_mj + COUNTER_ROUNDING)
        value = (
            reset.to_mj if reset else self.counter_start_mj
        ) + steps * self.counter_resolution_mj
        return value % self.counter_modulus_mj if self.counter_modulus_mj else max(value, 0)

    def counter_shown_mj(self, t_ns: int) -> int:
        """The same as it is read, if no fault counts calls."""
        return self._faulty("counter", t_ns, self.counter_mj(self._seen_ns("counter", t_ns)))

    def power_w(self, t_ns: int) -> float:
        """What ``nvmlDeviceGetPowerUsage`` shows at *t_ns*, before rounding to mW."""
        return self._power_w(self.power, self.power_window_ns, self.power_lag_ns, t_ns) * (
            self.power_gain
        )

    def instant_w(self, t_ns: int) -> float:
        """What the instant power field shows at *t_ns*, before rounding to mW."""
        return self._power_w(self.instant, self.instant_window_ns, self.instant_lag_ns, t_ns) * (
            self.instant_gain
        )

    def power_shown_mw(self, t_ns: int) -> int:
        """``power_w`` as it is read, if no fault counts calls."""
        return self._rounded("power", t_ns, self.power_w, self.power_resolution_mw)

    def instant_shown_mw(self, t_ns: int) -> int:
        """``instant_w`` as it is read, if no fault counts calls."""
        return self._rounded("instant", t_ns, self.instant_w, self.instant_resolution_mw)

    def slowed_ns(self, bits: int, start_ns: int, end_ns: int) -> int:
        """How long one of *bits* slowed the GPU; visible and brief spans must not overlap."""
        return sum(
            course(bits_of).bits_ns(bits, start_ns, end_ns)
            for bits_of in (self.throttle, self.violation)
        )

    def script(self, origin_ns: int = 0) -> str:
        """The statements about this GPU, with times that count from *origin_ns*."""
        lines = [
            f"gpu {self.uuid}",
            f"name {self.name}",
            f"pci {self.pci}",
            *self.curve.script().splitlines(),
            self._counter_script(),
            *(self._power_script(field) for field in ("power", "instant")),
            *(f"{key} {getattr(self, key)}" for key in _NUMBERS),
        ]
        for key in _COURSES:
            lines += course(getattr(self, key)).script(key, origin_ns)
        lines += [slice_.script() for slice_ in self.slices]
        lines += [process.script(origin_ns) for process in self.processes]
        lines += [fault.script(origin_ns) for fault in self._all_faults()]
        if self.unsupported:
            lines.append(f"unsupported {' '.join(self.unsupported)}")
        return "\n  ".join(lines) + "\n"

    def _counted_mj(self, t_ns: int) -> float:
        """Energy that the counter has counted at the last refresh before *t_ns*."""
        refresh, window_ns, last_ns = self.counter, self.counter_window_ns, self.counter.last(t_ns)
        if not (window_ns and refresh.period_ns):
            return self.counter_gain * 1000 * self.curve.energy_j(self.origin_ns, last_ns)
        first, last = refresh.number(self.sampled_from_ns), refresh.number(t_ns)
        instants = [refresh.instant(k) for k in range(first, last + 1)]
        seen_j = self.curve.energy_j(self.origin_ns, min(refresh.instant(first), last_ns))
        sampled_j = math.fsum(
            self.curve.energy_j(b - window_ns, b) * (b - a) / window_ns
            for a, b in pairwise(instants)
        )
        return self.counter_gain * 1000 * (seen_j + sampled_j)

    def _power_w(self, refresh: Refresh, window_ns: int, lag_ns: int, t_ns: int) -> float:
        end_ns = refresh.last(t_ns)
        if lag_ns:
            return self.curve.lagged_w(end_ns, lag_ns)
        return self.curve.mean_w(end_ns - window_ns, end_ns)

    def _seen_ns(self, call: str, t_ns: int) -> int:
        for fault in self.faults:
            if isinstance(fault, Stall) and fault.strikes(call, t_ns):
                return t_ns if fault.start_ns is None else fault.start_ns
        return t_ns

    def _faulty(self, call: str, t_ns: int, value: int) -> int:
        struck = [f for f in self.faults if isinstance(f, Fault) and f.strikes(call, t_ns)]
        if any(isinstance(fault, Zero) for fault in struck):
            return 0
        return max(value + sum(fault.by for fault in struck if isinstance(fault, Spike)), 0)

    def _rounded(self, call: str, t_ns: int, power_w: Callable[[int], float], step_mw: int) -> int:
        watts = power_w(self._seen_ns(call, t_ns))
        return self._faulty(call, t_ns, max(round(watts * 1000 / step_mw), 0) * step_mw)

    def _counter_script(self) -> str:
        return (
            f"counter {self.counter.script()} window={spell_ns(self.counter_window_ns)} "
            f"resolution_mj={self.counter_resolution_mj} gain={self.counter_gain!r} "
            f"start_mj={self.counter_start_mj} modulus_mj={self.counter_modulus_mj}"
        )

    def _power_script(self, field: str) -> str:
        refresh, window_ns, lag_ns, gain, step_mw = (
            getattr(self, f"{field}{part}")
            for part in ("", "_window_ns", "_lag_ns", "_gain", "_resolution_mw")
        )
        return (
            f"{field} {refresh.script()} window={spell_ns(window_ns)} lag={spell_ns(lag_ns)} "
            f"resolution_mw={step_mw} gain={gain!r}"
        )

    def _all_faults(self) -> list[Fault | Reset]:
        faults = list(self.faults)
        if self.lost_at_ns is not None:
            faults.append(Lost(start_ns=self.lost_at_ns))
        if self.zero_every:
            faults += [
                Zero(every=self.zero_every, calls=(c,)) for c in ("counter", "power", "instant")
            ]
        return faults


_NUMBERS = (
    "origin_ns",
    "sampled_from_ns",
    "delay_us",
    "max_sm_clock_mhz",
    "default_power_limit_mw",
    "memory_total",
    "persistence",
    "ecc",
    "ecc_pending",
    "min_power_limit_mw",
    "max_power_limit_mw",
    "application_sm_clock_mhz",
    "pcie_generation",
    "pcie_width",
    "nvlinks",
    "lost_after_reads",
)
_COURSES = (
    "temperature_c",
    "sm_clock_mhz",
    "power_limit_mw",
    "throttle",
    "violation",
    "memory_used",
    "mig",
)
