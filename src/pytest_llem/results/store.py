"""A run on disk: its manifest, its environment, its results and their raw data."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from pytest_llem._version import __version__
from pytest_llem.errors import StoreError
from pytest_llem.results.environment import ENVIRONMENT_VERSION, Environment
from pytest_llem.results.files import NewFile, explained, listed, replaced
from pytest_llem.results.journal import JOURNAL, Journal
from pytest_llem.results.load import load_document, load_result
from pytest_llem.results.manifest import (
    MANIFEST_VERSION,
    Manifest,
    PlannedExperiment,
    fingerprint_of,
)
from pytest_llem.results.names import file_names, new_run_id, newest_name, timestamp, utc_now
from pytest_llem.results.preview.files import keep_preview, kept_preview, kept_text
from pytest_llem.results.preview.making import preview_of
from pytest_llem.results.raw_store import RawStore
from pytest_llem.results.root import RESULTS, make_run_directory, new_run_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.results.manifest import State
    from pytest_llem.results.preview.document import Preview
    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult, Stored

_MANIFEST = "manifest.json"
_ENVIRONMENT = "environment.json"
_ANCHORS = "anchors"


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored result and where it is."""

    name: str
    """What its files are called, without suffixes; raw data is found by it."""
    path: Path
    result: ExperimentResult


class RunStore:
    """One run's directory; several processes may write results into it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._results = path / RESULTS
        self._raw = RawStore(path / "raw")

    @classmethod
    def create(  # noqa: PLR0913  the clock and the names can be given, so that tests need not wait
        cls,
        root: Path,
        *,
        command: Sequence[str],
        environment: Environment,
        planned: Iterable[PlannedExperiment] = (),
        repeats: int = 1,
        shuffle_seed: int | None = None,
        settings: Mapping[str, str | float | bool | None] | None = None,
        sources: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = utc_now,
        name_run: Callable[[datetime], str] = new_run_id,
    ) -> RunStore:
        """Begin a run below *root* (``.llem``), with its manifest and environment on disk.

        Args:
            root: made if need be, and kept out of git.
            command: the command line, one argument an item.
            environment: the snapshot to keep.
            planned: what the run sets out to measure, in order.
            repeats: fresh processes per experiment.
            shuffle_seed: seed of their order; ``None`` if they run as planned.
            settings: what else decides on figures.
            sources: digests of the files that the experiments are written in.
            now: the wall clock.
            name_run: an id for a run begun at that instant; asked again while it is taken.

        Raises:
            StoreError: *root* cannot be written.
        """
        started = now()
        store = cls(new_run_directory(root, lambda: name_run(started)))
        planned = tuple(planned)
        manifest = Manifest(
            run_id=store.run_id,
            tool_version=__version__,
            command=tuple(command),
            planned=planned,
            repeats=repeats,
            shuffle_seed=shuffle_seed,
            started_at=timestamp(started),
            settings=None if settings is None else dict(settings),
            sources=None if sources is None else dict(sources),
            fingerprint=fingerprint_of(planned, settings, sources),
        )
        write_document(store.path / _MANIFEST, manifest)
        write_document(store.path / _ENVIRONMENT, environment)
        return store

    @classmethod
    def open(cls, path: Path) -> RunStore:
        """The run stored at *path*, finished or not.

        Raises:
            StoreError: there is no run.
        """
        with explained("read", path):
            found = (path / RESULTS).is_dir() or (path / _MANIFEST).is_file()
        if not found:
            raise StoreError(
                f"{path} is no run of pytest-llem: it has neither {_MANIFEST} nor results. "
                "Give a directory of .llem/runs/."
            )
        return cls(path)

    def journal(self) -> Journal:
        """The run's journal; one per process."""
        return Journal(self.path / JOURNAL)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def anchors(self) -> RunStore | None:
        """What the run's anchors took, kept as results are; ``None`` if none were measured."""
        path = self.path / _ANCHORS
        return RunStore(path) if path.is_dir() else None

    def with_anchors(self) -> RunStore:
        """The same, made if need be.

        Raises:
            StoreError: it could not be made.
        """
        path = self.path / _ANCHORS
        make_run_directory(path)
        return RunStore(path)

    def manifest(self) -> Manifest:
        """The manifest as it is on disk.

        Raises:
            StoreError: it cannot be read.
        """
        path = self.path / _MANIFEST
        return load_document(path, Manifest, "manifest of a run", MANIFEST_VERSION)

    def environment(self) -> Environment:
        """The environment as it was when the run began.

        Raises:
            StoreError: it cannot be read.
        """
        path = self.path / _ENVIRONMENT
        return load_document(path, Environment, "environment of a run", ENVIRONMENT_VERSION)

    def write_result(self, result: ExperimentResult, raw: RawData | None) -> Path:
        """Store *result* and its raw data; both are on disk when this returns.

        The result appears last, complete, and under a name of its own even if the
        same repeat is stored twice. It is stored even where *raw* cannot be.

        Returns:
            The result's file.

        Raises:
            StoreError: either could not be written; earlier results are untouched.
        """
        content = _encoded(result)
        with explained("write", self._results):
            new = self._claim(result)
            try:
                with new.writing() as file:
                    file.write(content)
                trouble = self._stage(new.path.stem, raw)
                self._preview(new.path.stem, raw)
                new.publish()
            except BaseException:
                new.discard()
                raise
        if trouble is not None:
            raise StoreError(
                f"{new.path} is stored, but cannot be recomputed later: {trouble}"
            ) from trouble
        return new.path

    def _claim(self, result: ExperimentResult) -> NewFile:
        names = file_names(result.experiment_id, result.repeat)
        claims = (NewFile.claim(self._results / f"{name}.json") for name in names)
        return next(claim for claim in claims if claim is not None)

    def _stage(self, name: str, raw: RawData | None) -> StoreError | None:
        if raw is None:
            return None
        try:
            self._raw.stage(name, raw)
        except StoreError as error:
            return error
        return None

    def _preview(self, name: str, raw: RawData | None) -> bool:
        """Keep a preview of *raw*, which can be made again; whether there is one now."""
        preview = None if raw is None else preview_of(raw)
        if preview is None:
            return False
        with suppress(StoreError):
            keep_preview(self.path, name, preview)
            return True
        return False

    def compact(self) -> None:
        """Turn staged raw data into Parquet files; loads pyarrow, so only after the last window.

        Raises:
            StoreError: some could not be turned; it stays staged, and all other was turned.
        """
        self._raw.compact()
        if (anchors := self.anchors) is not None:
            anchors.compact()

    def finish(
        self,
        state: State = "finished",
        *,
        verdicts: Mapping[str, int] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> Manifest:
        """Write into the manifest how the run ended and how many results came out how.

        Raises:
            StoreError: manifest or results cannot be read, or the manifest cannot be written.
        """
        read = list(self._read())
        outcomes = Counter(entry.result.outcome for entry in read if isinstance(entry, Entry))
        manifest = self.manifest().model_copy(
            update={
                "state": state,
                "finished_at": timestamp(now()),
                "counts": dict(sorted(outcomes.items())),
                "unreadable": sum(isinstance(entry, StoreError) for entry in read),
                "verdicts": None if verdicts is None else dict(sorted(verdicts.items())),
            }
        )
        write_document(self.path / _MANIFEST, manifest)
        return manifest

    def read(self) -> tuple[list[Entry], list[StoreError]]:
        """What :meth:`entries` and :meth:`problems` give, read once.

        Raises:
            StoreError: the results' directory cannot be read.
        """
        entries: list[Entry] = []
        problems: list[StoreError] = []
        for one in self._read():
            if isinstance(one, Entry):
                entries.append(one)
            else:
                problems.append(one)
        return entries, problems

    def results(self) -> Iterator[ExperimentResult]:
        """Every readable result, sorted by its file's name; :meth:`problems` has the others.

        Raises:
            StoreError: the results' directory cannot be read.
        """
        return (entry.result for entry in self.entries())

    def entries(self) -> Iterator[Entry]:
        """Every readable result with its place, sorted by its file's name.

        Raises:
            StoreError: the results' directory cannot be read.
        """
        return (entry for entry in self._read() if isinstance(entry, Entry))

    def problems(self) -> list[StoreError]:
        """One error a result that cannot be read: which file, why, and what to do.

        Raises:
            StoreError: the results' directory cannot be read.
        """
        return [entry for entry in self._read() if isinstance(entry, StoreError)]

    def _read(self) -> Iterator[Entry | StoreError]:
        for path in listed(self._results, ".json"):
            try:
                yield Entry(path.stem, path, load_result(path))
            except StoreError as error:
                yield error

    def raw(self, experiment_id: str, repeat: int = 0) -> RawData:
        """The raw data of one repeat; if it was stored more than once, of the last time.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        names = (path.stem for path in listed(self._results, ".json"))
        name = newest_name(names, experiment_id, repeat)
        if name is None:
            raise StoreError(
                f"{self._results} has no result of {experiment_id} (repeat {repeat}). "
                "See there which experiments this run has."
            )
        return self.raw_of(name)

    def raw_of(self, name: str) -> RawData:
        """The raw data of the entry called *name*.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        return self._raw.read(name)

    def traces_of(self, name: str) -> Sequence[Trace]:
        """The traces of the raw data of the entry called *name*, which are read sooner than all.

        Raises:
            StoreError: there are none, or they cannot be read.
        """
        return self._raw.read_traces(name)

    def preview(self, name: str) -> Preview | None:
        """What the raw data of the entry called *name* looks like in few points.

        ``None`` if none was kept, as by versions of before, or it cannot be read;
        :meth:`make_previews` makes those that are missing.
        """
        return kept_preview(self.path, name)

    def preview_text(self, name: str) -> str | None:
        """The same as JSON, as it is stored, which saves building what is written out at once."""
        return kept_text(self.path, name)

    def make_previews(self) -> int:
        """Make the previews that are missing, from raw data; how many were made.

        Raises:
            StoreError: the results' directory cannot be read.
        """
        missing = [entry.name for entry in self.entries() if self.preview(entry.name) is None]
        return sum(self._make_preview(name) for name in missing)

    def _make_preview(self, name: str) -> bool:
        try:
            return self._preview(name, self.raw_of(name))
        except StoreError:
            return False


def write_document(path: Path, document: Stored) -> None:
    """Write *document* so that at any instant there is the old one or the whole new one.

    Raises:
        StoreError: it cannot be written.
    """
    with replaced(path) as file:
        file.write(_encoded(document))


def _encoded(document: Stored) -> bytes:
    try:
        return document.model_dump_json(indent=2).encode() + b"\n"
    except (PydanticSerializationError, ValueError) as error:
        raise StoreError(
            f"a {type(document).__name__} cannot be written as JSON: {error}. An engine's description "
            "and its extra options must be JSON values."
        ) from error
