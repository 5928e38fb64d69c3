"""Handing the results of a run to exporters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, ExportError, LlemError
from pytest_llem.paths import is_folder
from pytest_llem.reports.exporters import EXPORTERS
from pytest_llem.reports.exporters.exporter import Exported
from pytest_llem.results.files import reason_and_remedy
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXAMPLE = "csv:results.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written where."""

    exporter: str
    path: Path

    @classmethod
    def asked(cls, text: str, directory: Path) -> Export:
        """What ``NAME:PATH`` asks for; a relative path begins in *directory*.

        Raises:
            ConfigError: *text* is no such thing, or nothing has this name.
            ComponentError: the exporter cannot be used, and whose it is.
        """
        name, colon, path = text.partition(":")
        if not (name and colon and path):
            raise ConfigError(f"{text!r} names no export. Write NAME:PATH, such as {EXAMPLE}.")
        EXPORTERS.load(name)
        where = directory / path
        if is_folder(where):
            raise ConfigError(f"{where} is a directory. Name a file: {name}:{path}/results.{name}")
        return cls(name, where)

    def write(self, experiments: Sequence[Exported]) -> None:
        """Write *experiments*, making the directory if there is none.

        Raises:
            ExportError: they could not be written, and what to do. No result is lost by it.
        """
        exporter = EXPORTERS.load(self.exporter)()
        kept = "Results are kept; export them again with: llem export"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            exporter.export(experiments, self.path)
        except OSError as error:
            reason, remedy = reason_and_remedy(error)
            raise ExportError(
                f"{self.exporter} export: cannot write {self.path}: {reason}. {remedy}. {kept}"
            ) from error
        except LlemError as error:
            raise ExportError(f"{self.exporter} export: {error} {kept}") from error
        except Exception as error:
            raise ExportError(
                f"{self.exporter} export: {type(error).__name__}: {error}. Tell the authors of "
                f"that exporter. {kept}"
            ) from error


def write_all(exports: Iterable[Export], experiments: Sequence[Exported]) -> list[str]:
    """Write each of *exports*; what went wrong with any, as sentences."""
    problems = []
    for export in exports:
        try:
            export.write(experiments)
        except ExportError as error:
            problems.append(str(error))
    return problems


def export_run(run: Path, asked: Sequence[str]) -> list[str]:
    """Export a stored run: its directory, or its id under ``.llem/runs``.

    Returns what was wrong with results that could not be read and are left out.

    Raises:
        ConfigError: what is asked for cannot be had.
        StoreError: there is no such run.
        ExportError: it could not be written.
    """
    exports = [Export.asked(text, Path.cwd()) for text in asked]
    store = RunStore.named(run)
    experiments = [Exported(result) for result in store.results()]
    for export in exports:
        export.write(experiments)
    return [str(problem) for problem in store.problems()]
