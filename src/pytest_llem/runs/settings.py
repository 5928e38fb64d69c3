"""How a run is conducted, whoever asked for it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.config.gates import BaselineTable
from pytest_llem.reports.arrangement import USUAL, Arrangement
from pytest_llem.runs.limits import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.config.cost import Declared
    from pytest_llem.config.gates import AnchorChoice
    from pytest_llem.isolation.choice import Isolation
    from pytest_llem.runs.exporting import Export


@dataclass(frozen=True, slots=True)
class Resume:
    """A run that is taken up again."""

    path: Path
    """Its directory."""
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    """What all workers that take it up together have in common, and nobody else."""
    anyway: bool = False
    """Go on though configuration or environment have changed."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What holds for every experiment of a run."""

    project: Path
    """Root of the project under test; its git state is recorded."""
    runs: Path
    """Where runs are kept (``.llem``)."""
    baselines: Path
    """Where baselines live."""
    profile: str = "default"
    """Name of the system profile."""
    meter: str = "auto"
    require_measured: bool = False
    cpu_watts: float | None = None
    """Declared watts per busy core for estimates; ``None`` takes the meter's default."""
    isolation: Isolation = "spawn"
    container_runtime: str | None = None
    """``auto``, ``podman`` or ``docker``; ``None`` takes the project's configuration."""
    timeout_s: float | None = None
    """Limit of one experiment in seconds; ``None`` is none."""
    memory_limit_bytes: int | None = None
    """What one experiment's processes may take together; ``None`` is no limit."""
    gates: tuple[str, ...] = ()
    """As asked for by option, ``METRIC:TOLERANCE`` or ``METRIC:TOLERANCE@GLOB``."""
    configured_gates: tuple[str, ...] = ()
    """As the project configures them, in the same form; weaker than markers."""
    baseline_table: BaselineTable = field(default_factory=BaselineTable)
    """What the project configures of baselines."""
    baseline_from: str | None = None
    """Path or git ref of the baselines to compare with; ``None`` is ``baselines``."""
    invoked_from: Path | None = None
    """Directory that paths of options begin in; ``None`` is the project."""
    strict: bool = False
    update_baselines: bool = False
    extend_baselines: bool = False
    """Whether an update adds a session to what a baseline has, rather than beginning anew."""
    anchors: AnchorChoice = "off"
    """Whether a session's anchors are measured."""
    exports: tuple[Export, ...] = ()
    """What is written in other formats once the run has ended."""
    github: bool = False
    """Whether GitHub Actions is told: the summary of the job, annotations."""
    tariff: Declared | None = None
    """What is said at the end of the run's cost is said with this; ``None`` says nothing."""
    html: Path | None = None
    """Where the run is written as HTML once it has ended; ``None`` writes none."""
    allow_shared: bool = False
    """Take no locks: others may use the devices meanwhile, and results are marked."""
    lock_timeout_s: float | None = LOCK_TIMEOUT_S
    """How long an experiment waits for its devices; 0 does not wait, ``None`` waits for ever."""
    parallel: bool = False
    """Whether other processes of this run measure at the same time, so that each experiment
    takes GPUs that are free rather than the first ones."""
    repeats: int = 1
    """Fresh processes per experiment, interleaved; with *max_repeats* those of the first look."""
    repeats_asked: bool = False
    """Whether they were asked for; if not, experiments may ask for others."""
    max_repeats: int | None = None
    """Processes that an experiment may have until its gate is decided; ``None`` adds none."""
    shuffle_seed: int | None = None
    """Seed of the order of experiments within a round; ``None`` keeps them as collected."""
    log: Path | None = None
    """Where every transition is logged, as JSON lines; ``None`` logs nothing."""
    run_id: str | None = None
    """Name of the run; ``None`` makes one up."""
    arrangement: Arrangement = USUAL
    """Columns, order and headings of the summary."""
    resume: Resume | None = None
    """The run to go on with; ``None`` begins one."""

    def processes(self, wished: int | None) -> int:
        """Fresh processes of an experiment that wishes for so many, or for none in particular."""
        decided = self.repeats_asked or self.max_repeats is not None
        return self.repeats if decided or wished is None else wished
