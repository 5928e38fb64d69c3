"""The result of one experiment, as it is stored."""

from __future__ import annotations

from typing import Any, Literal

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.model import Model
from pytest_llem.devices.meter import Method, Scope
from pytest_llem.energy.measured import Measured
from pytest_llem.energy.recorded import Recorded
from pytest_llem.energy.spent import Spent

SCHEMA_VERSION = 1
Outcome = Literal["passed", "failed", "skipped", "error", "crashed", "timed_out"]


class Stored(Model):
    """Immutable; unknown keys are refused; ``None`` is unknown."""


class Reading(Stored):
    """How the energy of one scope was read."""

    meter: str
    scope: Scope
    method: Method
    devices: tuple[DeviceFacts, ...]
    """What was read."""
    estimator: str
    """Name and version of the window estimator."""
    declared_w_per_core: float | None
    """Watts per busy core that an estimate assumes; ``None`` for measurements."""


class Methodology(Reading):
    """How the figures came about; figures of different methodologies are not compared."""

    beside: tuple[Reading, ...] = ()
    """How other scopes and meters were read, which nothing is compared by."""
    shared: bool = False
    """Whether other experiments could use the devices meanwhile: their locks were lifted."""


class DeviceFacts(Stored):
    """A device as the meter saw it."""

    uuid: str
    name: str
    index: int | None
    power_limit_w: float | None


class Elsewhere(Stored):
    """What an experiment had around it that ran outside of the supervisor's interpreter."""

    executable: str
    """Its interpreter; in a container, the path inside."""
    python: str
    """Implementation and version."""
    os: str | None = None
    """Name and version of the distribution."""
    packages: dict[str, str] | None = None
    """Versions by distribution: what moves energy, and pytest plugins."""
    libraries: dict[str, str] | None = None
    """Versions of the libraries below the engine, by distribution."""
    image: str | None = None
    """Container image as it was asked for; ``None`` if there was no container."""
    image_digest: str | None = None
    """The image's content digest in its registry; ``None`` if it never was in one."""
    image_id: str | None = None
    """Digest of the image's configuration on this machine."""
    runtime: str | None = None
    """What ran the container, such as ``podman 5.4.0``."""


class WorkloadFacts(Stored):
    """What one pass asked of the engine."""

    source: str
    """The workload by its name."""
    hash: str
    """Of all prompts in the engine's own tokens, and of all output lengths."""
    requests: int
    """Over all turns of chats."""
    turns: int
    input_tokens: int
    output_tokens: int
    input_lengths: tuple[int, ...] | None
    """Prompt tokens of each request, turn after turn; ``None`` if all are alike, or too many."""
    output_lengths: tuple[int, ...] | None
    """Output tokens of each request; ``None`` if all are alike, or too many."""


class ExperimentResult(Stored):
    """One experiment, run once in one process."""

    schema_version: Literal[1] = 1
    experiment_id: str
    """Group and configuration hash: one file name per experiment of a run."""
    config_hash: str
    """Hash of what is measured; equal for the same experiment anywhere."""
    group: str
    """The test function or study that the experiment belongs to."""
    label: str
    """The experiment within its group, for people; a test's parameter id."""
    own_arguments: dict[str, str]
    """The test's own arguments by their ids; empty for bare experiments."""
    node_id: str | None
    """The pytest item, or ``None`` for an experiment run through the library."""
    run_id: str
    repeat: int
    """Number of the process among repeats of the same experiment, from 0."""
    outcome: Outcome
    message: str | None
    """Why the experiment did not pass; ``None`` if it did."""
    started_at: str
    """Wall-clock start, ISO 8601 with offset: a label, never used to compute."""
    config: ExperimentConfig
    measurement_methodology: Methodology | None
    """``None`` if nothing was measured."""
    steady_state_window: tuple[int, int] | None
    """First and last instant of the headline's windows (``time.monotonic_ns``)."""
    measurements: tuple[Measured, ...]
    """In the order they were made; the first is the headline."""
    engine: dict[str, Any] | None
    """What the engine says really took effect; ``None`` if no model was loaded."""
    elsewhere: Elsewhere | None = None
    """The interpreter or container of its own that it ran in; ``None`` if it had neither, so that
    the run's environment holds for it."""
    workload: WorkloadFacts | None = None
    """What one pass asked of the engine; ``None`` if no model was measured, and in results that
    were stored without it."""
    isolation: str | None = None
    """How its process was started, such as ``fork-server`` or ``spawn``; ``none`` is not at all."""
    isolation_reason: str | None = None
    """Why not in the way that was asked for; ``None`` if it was."""
    wall_s: float | None = None
    """From the start of its process to its end, in seconds; ``None`` if it had none of its own,
    and in results that were stored without it."""
    spent: Spent | None = None
    """What its devices used in all; ``None`` if nothing was read, and in results that were stored
    without it."""
    recorded: tuple[Recorded, ...] = ()
    """Figures of the test's own (``energy.record``), in the order they were recorded."""

    @property
    def headline(self) -> Measured | None:
        """The measurement that tables and gates show."""
        return self.measurements[0] if self.measurements else None

    @property
    def full_name(self) -> str:
        """What people call the experiment: the pytest item, or group and label."""
        label = f"[{self.label}]" if self.label else ""
        return self.node_id or f"{self.group}{label}"


Reading.model_rebuild()
Methodology.model_rebuild()
