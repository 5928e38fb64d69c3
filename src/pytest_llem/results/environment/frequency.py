"""How fast processors run, and who decides that (kernel documentation, "CPU Performance Scaling")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CPU = "sys/devices/system/cpu"
_EACH = "cpu[0-9]*/cpufreq"
_KHZ_PER_MHZ = 1000


def governor(system: Path) -> str | None:
    """Frequency governors of all CPUs, sorted and joined by commas."""
    return _words(system, "scaling_governor")


def scaling_driver(system: Path) -> str | None:
    """What sets the frequency, such as ``intel_pstate`` or ``acpi-cpufreq``."""
    return _words(system, "scaling_driver")


def energy_preference(system: Path) -> str | None:
    """Energy-performance preferences of all CPUs, where the processor chooses by itself."""
    return _words(system, "energy_performance_preference")


def turbo(system: Path) -> bool | None:
    """Whether processors may exceed their base frequency; ``None`` where no file says so."""
    off = _number(system / _CPU / "intel_pstate/no_turbo")
    if off is not None:
        return not off
    on = _number(system / _CPU / "cpufreq/boost")
    return None if on is None else bool(on)


def mean_mhz(system: Path) -> float | None:
    """Mean frequency of all CPUs now."""
    now = _numbers(system, "scaling_cur_freq")
    if now:
        return round(sum(now) / len(now) / _KHZ_PER_MHZ, 1)
    seen = [
        float(line.partition(":")[2])
        for line in (system / "proc/cpuinfo").read_text(errors="replace").splitlines()
        if line.startswith("cpu MHz")
    ]
    return round(sum(seen) / len(seen), 1) if seen else None


def least_mhz(system: Path) -> float | None:
    """Lowest frequency that any CPU may be set to."""
    found = _numbers(system, "scaling_min_freq")
    return min(found) / _KHZ_PER_MHZ if found else None


def most_mhz(system: Path) -> float | None:
    """Highest frequency that any CPU may be set to."""
    found = _numbers(system, "scaling_max_freq")
    return max(found) / _KHZ_PER_MHZ if found else None


def _words(system: Path, name: str) -> str | None:
    found = {path.read_text().strip() for path in (system / _CPU).glob(f"{_EACH}/{name}")}
    return ",".join(sorted(found)) or None


def _numbers(system: Path, name: str) -> list[int]:
    found = (_number(path) for path in (system / _CPU).glob(f"{_EACH}/{name}"))
    return [number for number in found if number is not None]


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
