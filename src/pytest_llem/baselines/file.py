"""The format of a baseline file: one group of experiments on one class of hardware."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.baselines.anchors import AnchorReading
from pytest_llem.baselines.fingerprint import Fingerprint
from pytest_llem.baselines.samples import ProcessSamples, Sample
from pytest_llem.results.schema import Stored

SCHEMA_VERSION: Literal[2] = 2


class Provenance(Stored):
    """How a session came to be a baseline."""

    by: Literal["update", "extend", "accept"]
    """What wrote it: ``--llem-update-baselines``, ``--llem-extend-baselines`` (or ``accept
    --extend``), or ``llem baseline accept``."""
    version: str
    """Of the pytest-llem that wrote it."""
    reason: str | None = None
    """Why it was accepted, in the words of whoever did; ``None`` if it was not asked for."""


class BaselineSession(Stored):
    """What one run measured of an experiment."""

    run_id: str
    started_at: str
    """Wall-clock start of the first process, ISO 8601 with offset: a label."""
    fingerprint: Fingerprint
    begins: bool = False
    """Whether the baseline begins anew here: sessions before it are history, which nothing is
    compared with."""
    provenance: Provenance | None = None
    """``None`` for sessions of format 1, which did not keep it."""
    anchors: tuple[AnchorReading, ...] = ()
    """What the anchors took in that session; empty if none were measured."""
    measurements: dict[str, tuple[ProcessSamples, ...]] = Field(min_length=1)
    """Processes by the name of the measurement, in the order of their repeats."""

    def samples(self, measurement: str, metric: str) -> tuple[Sample, ...]:
        """One metric of the processes in which it is known."""
        processes = self.measurements.get(measurement, ())
        samples = (process.sample(metric) for process in processes)
        return tuple(sample for sample in samples if sample.values)


class Entry(Stored):
    """The baseline of one experiment."""

    label: str
    """The experiment within its group, for people."""
    config: dict[str, Any]
    """The fields that make its identity."""
    own_arguments: dict[str, str]
    """The test's own arguments by their ids; they belong to the identity."""
    sessions: tuple[BaselineSession, ...] = Field(min_length=1)
    """In the order in which they became a baseline; a bounded number, the oldest leave first."""

    @property
    def current(self) -> tuple[BaselineSession, ...]:
        """The sessions that runs are compared with: from where the baseline last began."""
        begun = [place for place, one in enumerate(self.sessions) if one.begins]
        return self.sessions[begun[-1] if begun else 0 :]


class BaselineFile(Stored):
    """All baselines of a group on one class of hardware."""

    schema_version: Literal[2] = SCHEMA_VERSION
    group: str
    """The test function or study."""
    hardware: str
    """The hardware class, which is also the file's name."""
    entries: dict[str, Entry]
    """By identity: the hash of the configuration and the test's own arguments."""
