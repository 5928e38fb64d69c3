"""What ``llem doctor`` found out about a machine."""

from __future__ import annotations

from typing import Literal

from pytest_llem.results.environment import Environment
from pytest_llem.results.schema import Stored

DIAGNOSIS_VERSION = 1
Level = Literal["impossible", "disturbs", "note"]
"""Nothing can be measured, or not what is there; figures suffer; or it is good to know."""
LEVELS: tuple[Level, ...] = ("impossible", "disturbs", "note")


class Finding(Stored):
    """Something about the machine that a measurement would not like."""

    check: str
    """What was looked at, such as ``gpu.persistence``; the same in every version."""
    level: Level
    what: str
    """On one line, with the device if it is one of several."""
    value: str
    """What was found, as measured."""
    why: str
    """What it does to a measurement."""
    mend: str | None = None
    """A command, or what else to do; ``None`` if nothing helps."""


class MeterState(Stored):
    """A meter, and whether it could be read here."""

    meter: str
    state: Literal["reads", "nothing to read", "not asked"]
    taken: bool = False
    """Whether ``--llem-meter=auto`` takes it for an experiment that uses what is here."""
    scopes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """By name; those that are refused are left out."""
    reason: str | None = None
    """Why it reads nothing, or was not asked; ``None`` if it reads."""


class EngineState(Stored):
    """An engine, and where its experiments would run."""

    engine: str
    place: str
    """``here``, the path of an interpreter, or an image."""
    usable: bool | None
    """Whether it could load a model there; ``None`` if that was not asked."""
    version: str | None = None
    reason: str | None = None
    """Why it could not, or was not asked."""


class Supported(Stored):
    """A device's place in the hardware support matrix."""

    device: str
    """As this machine calls it."""
    status: Literal["confirmed", "may work", "will not work", "unknown"]
    entry: str | None = None
    """What the matrix calls it; ``None`` if it has no place in it."""
    meter: str | None = None
    scope: str | None = None
    method: str | None = None
    privileges: str | None = None
    date: str | None = None
    note: str | None = None


class Diagnosis(Stored):
    """All of it."""

    schema_version: Literal[1] = 1
    tool_version: str
    executable: str
    """The interpreter that was asked: that of pytest, if it is the same."""
    environment: Environment
    findings: tuple[Finding, ...]
    """The worst first."""
    meters: tuple[MeterState, ...]
    """In the order in which ``auto`` takes them, then the others."""
    engines: tuple[EngineState, ...]
    support: tuple[Supported, ...]

    @property
    def impossible(self) -> bool:
        """Whether something has to be mended before anything can be measured."""
        return any(finding.level == "impossible" for finding in self.findings)
