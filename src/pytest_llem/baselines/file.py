"""The format of a baseline file: one group of experiments on one class of hardware."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_llem.baselines.anchors import AnchorReading
from pytest_llem.baselines.fingerprint import Fingerprint
from pytest_llem.baselines.samples import ProcessSamples, Sample
from pytest_llem.results.schema import Stored

SCHEMA_VERSION: Literal[1] = 1


class BaselineSession(Stored):
    """What one run measured of an experiment."""

    run_id: str
    started_at: str
    """Wall-clock start of the first process, ISO 8601 with offset: a label."""
    fingerprint: Fingerprint
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
    """Oldest first."""


class BaselineFile(Stored):
    """All baselines of a group on one class of hardware."""

    schema_version: Literal[1] = SCHEMA_VERSION
    group: str
    """The test function or study."""
    hardware: str
    """The hardware class, which is also the file's name."""
    entries: dict[str, Entry]
    """By identity: the hash of the configuration and the test's own arguments."""
