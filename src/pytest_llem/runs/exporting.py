"""Handing the results of a run to exporters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.kept import kept_verdicts
from pytest_llem.baselines.pooling import key_of
from pytest_llem.errors import ConfigError, ExportError, LlemError, StoreError
from pytest_llem.paths import is_folder
from pytest_llem.reports.exporters import EXPORTERS
from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
from pytest_llem.reports.exporters.summarised import summary_of
from pytest_llem.results.files import reason_and_remedy
from pytest_llem.runs.kept_runs import HERE, open_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.baselines.run_summary import Reported, RunSummary
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.store import Entry, RunStore

EXAMPLE = "csv:results.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written where."""

    exporter: str
    path: Path
    """The directory that was asked in, for one that writes no file."""

    @classmethod
    def asked(cls, text: str, directory: Path) -> Export:
        """What ``NAME:PATH`` asks for; a relative path begins in *directory*.

        ``NAME`` alone is for exporters that send results somewhere rather than write a file.

        Raises:
            ConfigError: *text* is no such thing, or nothing has this name.
            ComponentError: the exporter cannot be used, and whose it is.
        """
        name, colon, path = text.partition(":")
        if not name or (colon and not path):
            raise ConfigError(f"{text!r} names no export. Write NAME:PATH, such as {EXAMPLE}.")
        writes_file = getattr(EXPORTERS.load(name), "writes_file", True)
        if not writes_file and colon:
            raise ConfigError(f"{text!r}: {name} writes no file. Write {name} alone.")
        if not writes_file:
            return cls(name, directory)
        if not colon:
            raise ConfigError(f"{text!r} names no export. Write NAME:PATH, such as {EXAMPLE}.")
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
        kept = "Results are kept; export them again with: llem runs export"
        try:
            if getattr(exporter, "writes_file", True):
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


def exported_run(
    store: RunStore, reported: Iterable[Reported], project: Path | None = None
) -> list[Exported]:
    """*reported* for exporters: with the run that they are of, in the order that it planned.

    Node ids begin in the directory *project*, if that is known.
    """
    run = _run(store, project)
    found = [Exported(result, tuple(judgements), run) for result, judgements in reported]
    places = {} if run is None else run.manifest.places()

    def place_of(one: Exported) -> tuple[int, str, str, int]:
        result = one.result
        place = places.get(key_of(result), len(places))
        return place, result.full_name, result.experiment_id, result.repeat

    return sorted(found, key=place_of)


def _run(store: RunStore, project: Path | None) -> ExportedRun | None:
    from pytest_llem.runs.doctor.kept import disturbances

    try:
        run = ExportedRun(store.manifest(), project=project, strict=_is_strict(store))
    except LlemError:
        return None
    try:
        environment = store.environment()
    except LlemError:
        return run
    return replace(run, environment=environment, disturbances=tuple(disturbances(environment)))


def _is_strict(store: RunStore) -> bool:
    try:
        verdicts = kept_verdicts(store)
    except StoreError:  # told by whoever asks for the verdicts themselves
        return False
    return verdicts is not None and verdicts.strict


def export_run(run: Path | str, asked: Sequence[str]) -> list[str]:
    """Export a stored run, as :func:`~pytest_llem.open_run` takes it.

    What gates said is as the run kept it; figures are those of its results.

    Returns what was wrong with results that could not be read and are left out.

    Raises:
        ConfigError: there is no such run, or what is asked for cannot be had.
        StoreError: the run cannot be read.
        ExportError: it could not be written.
    """
    exports = [Export.asked(text, Path.cwd()) for text in asked]
    store = open_run(str(run))
    problems: list[str] = []
    experiments = _stored(store, problems)
    for export in exports:
        export.write(experiments)
    return problems


def summarise_run(run: str | None = None, root: Path = HERE) -> RunSummary:
    """A stored run in brief: what ``llem runs export RUN json:PATH`` writes.

    Args:
        run: its directory, its id, or how only its id begins; ``None`` is the latest.
        root: where runs are kept.

    Raises:
        ConfigError: there is none, or it is not clear which.
        StoreError: it cannot be read.
    """
    store = open_run(run, root)
    return summary_of(_stored(store, []))


def _stored(store: RunStore, problems: list[str]) -> list[Exported]:
    """What the run keeps; what is wrong with verdicts and results is added to *problems*."""
    entries, unreadable = store.read()
    said = _kept(store, entries, problems)
    problems += map(str, unreadable)
    results = (entry.result for entry in entries)
    return exported_run(store, ((one, said.get(key_of(one), ())) for one in results))


def _kept(
    store: RunStore, entries: Sequence[Entry], problems: list[str]
) -> dict[tuple[str, str | None], Sequence[Judgement]]:
    """What was said of each experiment, as the run kept it at its end."""
    try:
        verdicts = kept_verdicts(store)
    except StoreError as error:
        problems.append(str(error))
        return {}
    judged = {one.result: one.judgements for one in verdicts.experiments} if verdicts else {}
    found = ((entry, judged.get(entry.name)) for entry in entries)
    return {key_of(entry.result): said for entry, said in found if said is not None}
