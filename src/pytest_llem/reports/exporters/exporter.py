"""What writes results in another tool's format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.schema import ExperimentResult


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The run that experiments are of."""

    manifest: Manifest
    environment: Environment | None = None
    """``None`` if it cannot be read."""
    project: Path | None = None
    """Directory that its node ids begin in; ``None`` is unknown."""
    strict: bool = False
    """Whether verdicts that tell nothing failed it."""
    disturbances: tuple[str, ...] = ()
    """What about its machine spoils figures, each in a few words."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One experiment, run in one process, and what gates said of it."""

    result: ExperimentResult
    judgements: tuple[Judgement, ...] = ()
    """Of the experiment with all its processes; empty where nothing was compared, and of a
    run that was killed before it could keep any."""
    run: ExportedRun | None = None
    """The same for all; ``None`` if its manifest cannot be read."""


class Exporter(Protocol):
    """Writes the results of a run; constructed without arguments once the run has ended.

    One that sends them somewhere, rather than writing a file, has an attribute ``writes_file``
    that is false. It is asked for by its name alone, and is to leave the path alone.
    """

    name: ClassVar[str]
    api_version: ClassVar[int]

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write *experiments*, in the order in which they were planned, to *path*.

        What is there is replaced. An estimate has to be told from a measurement in what is
        written (``result.headline.estimated``).

        Raises:
            OSError: the file cannot be written.
            LlemError: the results cannot be told in this format, and why.
        """
        ...
