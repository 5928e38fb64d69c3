"""The lines of a run's log: what happened when, one kind of line a class."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from pytest_llem.results.manifest import State
from pytest_llem.results.schema import Outcome, Stored

LOG_VERSION = 1


class Line(Stored):
    """What every line has."""

    schema_version: Literal[1] = 1
    monotonic_ns: int
    """Instant by the host's monotonic clock, as in marks and traces."""
    time: str
    """The same by the wall clock, ISO 8601 with offset: a label."""
    run_id: str | None
    """``None`` for what happened before the run had a name."""
    pid: int
    """Process that wrote the line; of several workers each writes its own."""


class RunStarted(Line):
    """A process that conducts experiments begins or joins a run."""

    event: Literal["run_started"]
    directory: str
    """Where the run is kept."""
    tool_version: str
    command: tuple[str, ...]
    meters: tuple[str, ...]
    isolation: str
    """As asked for."""
    repeats: int
    shuffle_seed: int | None


class Collected(Line):
    """What this process sets out to measure."""

    event: Literal["collected"]
    experiments: tuple[str, ...]
    """Their ids, in order."""
    engines: tuple[str, ...]


class RoundStarted(Line):
    """Experiments are run once more."""

    event: Literal["round_started"]
    round: int
    """From 1: the first round is not announced."""
    experiments: int


class RepeatsAdded(Line):
    """Experiments that are undecided get more processes."""

    event: Literal["repeats_added"]
    experiments: tuple[str, ...]
    processes: int
    """How many each of them has then."""


class Warned(Line):
    """Something that a person should know; about an experiment if it names one."""

    event: Literal["warning"]
    text: str
    experiment_id: str | None = None
    process: int | None = None


class RunFinished(Line):
    """The run's books are closed; a run that was killed lacks this line."""

    event: Literal["run_finished"]
    state: State
    outcomes: dict[Outcome, int]
    """Processes of experiments by how they ended."""
    problems: tuple[str, ...]


class OfExperiment(Line):
    """What every line about one process of an experiment has."""

    experiment_id: str
    node_id: str | None
    """The pytest item; ``None`` for an experiment run through the library."""
    process: int
    """Number of the process among repeats of the same experiment, from 0."""


class Queued(OfExperiment):
    """It is its turn, and it waits for its devices."""

    event: Literal["experiment_queued"]
    backend: str
    model: str


class Waiting(OfExperiment):
    """Others have its devices for longer."""

    event: Literal["experiment_waiting"]
    text: str


class Leased(OfExperiment):
    """It has its devices."""

    event: Literal["experiment_leased"]
    devices: tuple[str, ...]
    """UUIDs of what is read."""
    shared: bool
    """Whether others may use them meanwhile."""


class Started(OfExperiment):
    """Its process runs."""

    event: Literal["experiment_started"]
    isolation: str
    reason: str | None
    """Why it was not started as asked for; ``None`` if it was."""


class Loaded(OfExperiment):
    """Its model is loaded."""

    event: Literal["experiment_loaded"]
    versions: dict[str, str | None]
    """Of the engine and what is below it, as the engine says."""


class WarmUpStarted(OfExperiment):
    """A measurement begins with its warm-up."""

    event: Literal["warm_up_started"]


class WarmedUp(OfExperiment):
    """The warm-up is over, and the first window begins."""

    event: Literal["warmed_up"]


class WindowStarted(OfExperiment):
    """A window begins."""

    event: Literal["window_started"]
    phase: str
    """``window`` over the whole, ``prefill window`` or ``length window``."""
    index: int
    """From 0."""
    count: int | None
    """How many there will be."""


class WindowsRepeated(OfExperiment):
    """Windows were invalid and are run again, as far as that is allowed."""

    event: Literal["windows_repeated"]
    invalid: int


class Measured(OfExperiment):
    """A measurement has its figures, or none and why."""

    event: Literal["measured"]
    measurement: str | None
    energy_j: float | None
    energy_uncertainty_j: float | None
    energy_per_output_token_j: float | None
    estimated: bool | None
    windows: int
    invalid_windows: int
    warnings: tuple[str, ...]
    problem: str | None
    """Why there are no figures; ``None`` if there are."""


class Retried(OfExperiment):
    """It is run again, by no fault of its own."""

    event: Literal["experiment_retried"]
    reason: str


class ChildDied(OfExperiment):
    """Its process did not end by itself, or not well."""

    event: Literal["child_died"]
    status: int | None
    """Exit status, negative for a signal; ``None`` if it had to be killed."""
    timed_out: bool
    killed_for: str | None
    """Why its supervisor ended it; ``None`` if it did not, or for its time alone."""
    kernel_kills: int
    """Processes that the kernel ended meanwhile for want of memory."""


class Interrupted(OfExperiment):
    """Somebody interrupted the run while it was running."""

    event: Literal["experiment_interrupted"]


class Finished(OfExperiment):
    """One process of it has ended, and what came of that is kept."""

    event: Literal["experiment_finished"]
    outcome: Outcome
    message: str | None
    result: str | None
    """Name of the result within the run; ``None`` if nothing ran."""


class Verdict(Stored):
    """One gate's answer."""

    metric: str
    measurement: str
    verdict: str
    tolerance: str
    change: float | None
    """Relative, 0.05 for five percent more; ``None`` if it could not be told."""
    interval: tuple[float, float] | None
    """Confidence interval of the relative change."""


class Judged(OfExperiment):
    """Its gates have answered, by all its processes."""

    event: Literal["experiment_judged"]
    verdicts: tuple[Verdict, ...]
    failed: bool
    """Whether that fails the test."""


Event = Annotated[
    RunStarted
    | Collected
    | RoundStarted
    | RepeatsAdded
    | Warned
    | RunFinished
    | Queued
    | Waiting
    | Leased
    | Started
    | Loaded
    | WarmUpStarted
    | WarmedUp
    | WindowStarted
    | WindowsRepeated
    | Measured
    | Retried
    | ChildDied
    | Interrupted
    | Finished
    | Judged,
    Field(discriminator="event"),
]
"""Any line, told apart by its ``event``."""
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
