"""Running pytest for one side."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import ConfigError, IsolationError
from pytest_llem.results.store import RunStore
from pytest_llem.runs.ab import listing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.ab.side import Side

USUAL = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process of an experiment came to."""

    result: ExperimentResult
    environment: Environment


class Place:
    """Where one side's experiments are collected and run, each by a pytest of its own."""

    def __init__(self, side: Side, directory: Path, runs: Path, options: Sequence[str]) -> None:
        """A place for *side*.

        Args:
            side: what it sets.
            directory: where pytest starts: among the files of its commit, if it has one.
            runs: folder for the runs and for what pytest prints.
            options: those of pytest that both sides share.
        """
        self.side = side
        self._directory, self._runs, self._options = directory, runs, list(options)
        self._root = directory
        self._count = 0
        runs.mkdir(parents=True, exist_ok=True)

    def experiments(self, tests: Sequence[str]) -> list[str]:
        """Node ids of the experiments among *tests*, as pytest's command line names them.

        Raises:
            ConfigError: pytest could not collect them, with what it said.
        """
        file = self._runs / "experiments.json"
        file.unlink(missing_ok=True)
        arguments = [*tests, "--collect-only", "-q", "-p", listing.__name__]
        status, log = self._pytest(arguments, {listing.VARIABLE: str(file)})
        if status not in USUAL or not file.exists():
            raise ConfigError(
                f"side {self.side.name} ({self.side.described}) cannot be collected; pytest ended "
                f"with {status}:\n{_end(log)}"
            )
        said = json.loads(file.read_text(encoding="utf-8"))
        self._root = Path(said["root"])
        found: list[str] = said["experiments"]
        return found

    def measure(self, node_id: str) -> Measured:
        """Run one experiment once, in a fresh process.

        Raises:
            IsolationError: there is no result of it, with what pytest said.
        """
        self._count += 1
        folder = self._runs / f"{self._count:04d}"
        path, separator, name = node_id.partition("::")
        test = os.path.relpath(self._root / path, self._directory) + separator + name
        keep = [f"--llem-dir={folder}", f"--llem-baselines={folder / 'baselines'}", "-q"]
        status, log = self._pytest([test, *keep], {})
        runs = sorted((folder / "runs").glob("*")) if status in USUAL else []
        if runs:
            store = RunStore.open(runs[-1])
            for result in store.results():
                return Measured(result, store.environment())
        raise IsolationError(
            f"side {self.side.name}: {node_id} has no result; pytest ended with {status}:\n{_end(log)}"
        )

    def _pytest(self, arguments: Sequence[str], variables: Mapping[str, str]) -> tuple[int, Path]:
        log = self._runs / f"{self._count:04d}.log"
        command = [self.side.python, "-m", "pytest", *arguments, *self._options]
        command += [f"--llem-set={assignment}" for assignment in self.side.assignments]
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603 - what the user asked for
                command,
                cwd=self._directory,
                env={**os.environ, **self._path(), **self.side.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return done.returncode, log

    def _path(self) -> dict[str, str]:
        """Files of a commit are found before those of the working tree that were installed."""
        if self.side.ref is None:
            return {}
        own = [str(path) for path in (self._root / "src", self._root) if path.is_dir()]
        before = os.environ.get("PYTHONPATH")
        return {"PYTHONPATH": os.pathsep.join([*own, *([before] if before else [])])}


def _end(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
