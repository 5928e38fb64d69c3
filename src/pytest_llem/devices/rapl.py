"""CPU packages through Linux's power capping, which shows RAPL's energy counters.

Intel's running average power limit counters and AMD's alike appear below
``/sys/class/powercap`` (kernel documentation, "Power Capping Framework"): a zone for each
package, with zones for its cores inside it, which are part of it, and on servers one for its
memory, which is not. The counters are in microjoules and are renewed about every millisecond
(Intel SDM vol. 3B, 16.10; Hähnel et al., "Measuring energy consumption for short code paths
using RAPL", 2012).
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.devices.estimate import cpu_name
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT_VARIABLE = "LLEM_POWERCAP"
"""Names another folder than ``/sys/class/powercap``, such as the host's in a container."""
ROOT = Path("/sys/class/powercap")
PERIOD_S = 0.001
MICROJOULE = 1e-6
MOST_W = 2000.0
"""More than any package draws: a counter not read for longer than it takes at this power to
go round its range may have gone round unseen."""


@dataclass(slots=True)
class Zone:
    """One package or its memory, and how far its counter has come."""

    path: Path
    range_uj: int
    """Where the counter begins anew."""
    last_uj: int | None = None
    rounds_uj: int = 0
    last_ns: int = 0
    wraps: int = 0


class RaplMeter:
    """Reads whole CPU packages and their memory: all that runs there, the experiment or not."""

    name: ClassVar[str] = "rapl"
    api_version: ClassVar[int] = 1

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path(os.environ.get(ROOT_VARIABLE, ROOT))
        self._zones: dict[str, Zone] = {}
        self.absence: str | None = None
        """Why ``discover`` found nothing; ``None`` until it has found nothing."""

    def discover(self) -> list[Device]:
        """The packages, in order, then their memories; empty where the kernel shows none.

        Raises:
            MeterError: there are packages, and this user may not read them.
        """
        self._zones = {}
        for path, name in self._named(r"[\w-]+-rapl:\d+", self._root, "package"):
            self._add(f"rapl:{name}", path)
        for uuid, package in list(self._zones.items()):
            for path, _ in self._named(r"[\w-]+-rapl:\d+:\d+", package.path, "dram"):
                self._add(f"{uuid}:dram", path)
        if not self._zones:
            self.absence = f"no CPU package in {self._root}"
        return [_device(uuid, index) for index, uuid in enumerate(self._zones)]

    def _add(self, uuid: str, path: Path) -> None:
        """Take a zone, by its folder too where another of its kind has the same name.

        One of another kind is the same package through another interface.
        """
        if (known := self._zones.get(uuid)) is not None:
            if _control(known.path) != _control(path):
                return
            uuid = f"{uuid}@{path.name}"
        self._zones[uuid] = _zone(path)

    def _named(self, pattern: str, below: Path, name: str) -> Iterator[tuple[Path, str]]:
        """Zones whose folder and name are so called."""
        for path in sorted(below.glob("*-rapl:*")):
            if re.fullmatch(pattern, path.name) and (found := _text(path / "name")).startswith(
                name
            ):
                yield path, found

    def read(self, device: Device) -> Reading:
        """The package's counter, carried on where it began anew.

        Raises:
            MeterError: it is gone, or may not be read any more.
        """
        if not self._zones:
            self.discover()
        zone = self._zones.get(device.uuid)
        if zone is None:
            raise MeterError(f"{device.uuid} is gone from {self._root}. Restart the run.")
        before_ns = time.monotonic_ns()
        shown_uj = _number(zone.path / "energy_uj")
        after_ns = time.monotonic_ns()
        return Reading(before_ns, after_ns, _carried_on(zone, shown_uj, after_ns), None)

    def facts(self, device: Device) -> Facts:
        """Nothing is known but how often the counter began anew."""
        zone = self._zones.get(device.uuid)
        return Facts(time_ns=time.monotonic_ns(), wraps=None if zone is None else zone.wraps)

    def close(self) -> None:
        """There is nothing to give back."""


def _control(path: Path) -> str:
    return path.name.partition(":")[0]


def _zone(path: Path) -> Zone:
    zone = Zone(path, _number(path / "max_energy_range_uj"))
    _number(path / "energy_uj")
    return zone


def _device(uuid: str, index: int) -> Device:
    memory = ":dram" in uuid
    capability = Capability("dram" if memory else "package", "counter", MICROJOULE, PERIOD_S)
    name = f"memory of {cpu_name()}" if memory else cpu_name()
    return Device(uuid=uuid, name=name, capability=capability, index=index)


def _carried_on(zone: Zone, shown_uj: int, now_ns: int) -> float | None:
    """Energy in joules; ``None`` once if the counter may have gone round unseen."""
    last_uj, zone.last_uj = zone.last_uj, shown_uj
    elapsed_s, zone.last_ns = (now_ns - zone.last_ns) / 1e9, now_ns
    if last_uj is not None:
        if elapsed_s * MOST_W > zone.range_uj * MICROJOULE:
            zone.rounds_uj = 0
            return None
        if shown_uj < last_uj:
            zone.rounds_uj += zone.range_uj
            zone.wraps += 1
    return (zone.rounds_uj + shown_uj) * MICROJOULE


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unreadable(path, error) from error


def _number(path: Path) -> int:
    text = _text(path)
    try:
        return int(text)
    except ValueError:
        raise MeterError(
            f"{path} says {text[:40]!r}, which is no number of microjoules. Look at the kernel's "
            "powercap driver, or take another meter."
        ) from None


def _unreadable(path: Path, error: OSError) -> MeterError:
    if isinstance(error, PermissionError):
        return MeterError(
            f"{path} may only be read by root, as the kernel ships it since CVE-2020-8694. "
            "Allow it with: sudo chmod a+r /sys/class/powercap/*/energy_uj (until the next "
            "start), or take another meter."
        )
    return MeterError(f"{path} cannot be read: {error.strerror or error}. Take another meter.")
