"""The hardware support matrix: its entries, and which of them a device is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - a field is called so, and its type has to be found
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Status = Literal["confirmed", "may work", "will not work"]
Kind = Literal["gpu", "cpu", "soc"]
STATUSES: tuple[Status, ...] = ("confirmed", "may work", "will not work")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; ``hardware.toml`` explains the fields."""

    device: str
    status: Status
    kind: Kind
    names: tuple[str, ...]
    system: tuple[str, ...]
    meter: str
    scope: str
    method: str
    privileges: str
    date: date
    evidence: tuple[str, ...]
    note: str
    source: str = ""
    when: Literal["", "mig"] = ""

    def fits(self, device: Present) -> bool:
        """Whether *device* is such hardware."""
        return (
            self.kind == device.kind
            and (not self.when or device.mig)
            and _any(self.names, device.name)
            and _any(self.system, device.system)
        )


@dataclass(frozen=True, slots=True)
class Present:
    """A device of some machine, as far as its place in the matrix depends on it."""

    kind: Kind
    name: str
    system: str
    """Such as ``linux-x86_64``."""
    mig: bool = False


@cache
def entries() -> tuple[Entry, ...]:
    """All rows, in the order in which a device is looked for."""
    text = files(__package__).joinpath("hardware.toml").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in tomllib.loads(text)["entry"])


def places(device: Present, matrix: Sequence[Entry] | None = None) -> list[Entry]:
    """The rows that *device* is, one a meter, the particular before the general."""
    found: dict[str, Entry] = {}
    for entry in entries() if matrix is None else matrix:
        if entry.fits(device):
            found.setdefault(entry.meter, entry)
    return list(found.values())


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(fnmatchcase(text.lower(), pattern) for pattern in patterns)


def _entry(row: dict[str, Any]) -> Entry:
    lists = {name: tuple(one) for name, one in row.items() if isinstance(one, list)}
    return Entry(**{**row, **lists})
