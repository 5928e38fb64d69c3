"""Baselines on disk: one file per group of experiments and class of hardware."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_llem._version import __version__
from pytest_llem.baselines.anchors import readings_for
from pytest_llem.baselines.file import (
    SCHEMA_VERSION,
    BaselineFile,
    BaselineSession,
    Entry,
    Provenance,
)
from pytest_llem.baselines.hardware import hardware_class
from pytest_llem.baselines.places import group_path, relative_path
from pytest_llem.baselines.reading import entry_texts, parse_baselines, read_baselines
from pytest_llem.baselines.rendering import render
from pytest_llem.baselines.sessions import identity_of_result, refusal, session_of
from pytest_llem.baselines.sources import DirectorySource
from pytest_llem.baselines.writing import explained, only_writer, put_text
from pytest_llem.config.gates import SESSIONS
from pytest_llem.config.identity import identity_of
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from pytest_llem.baselines.sources import Source
    from pytest_llem.results.schema import ExperimentResult


By = Literal["update", "extend", "accept"]


@dataclass(frozen=True, slots=True)
class Stored:
    """An experiment whose baseline was written."""

    experiment_id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Refused:
    """An experiment that did not become a baseline."""

    experiment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Update:
    """What an update wrote, and what it refused."""

    stored: list[Stored] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class How:
    """How results become a baseline."""

    by: By = "update"
    reason: str | None = None
    """Why, in the words of whoever accepted them."""
    sessions: int = SESSIONS
    """Sessions that are kept of each experiment, the newest ones."""
    extends: bool = False
    """Whether the results are a further session of what is there, rather than a new beginning."""


class Baselines:
    """Baselines to compare with, wherever they are read from."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._read: dict[PurePosixPath, tuple[object, BaselineFile]] = {}

    def find(self, result: ExperimentResult, environment: Mapping[str, Any]) -> Entry | None:
        """The baseline of the experiment that *result* is of; ``None`` if there is none.

        That of its own hardware class if there is one. Else one of other hardware,
        whose fingerprint will say why the two cannot be compared.

        Raises:
            BaselineError: the baseline file cannot be read.
        """
        identity = identity_of_result(result)
        if result.measurement_methodology is not None:
            own = self._load(relative_path(result.group, hardware_class(result, environment)))
            if own is not None and identity in own.entries:
                return own.entries[identity]
        for hardware in self.hardware_of(result.group, identity):
            if (other := self._load(relative_path(result.group, hardware))) is not None:
                return other.entries[identity]
        return None

    def hardware_of(self, group: str, identity: str) -> tuple[str, ...]:
        """Hardware classes that have a baseline of an experiment, sorted.

        Raises:
            BaselineError: a baseline file cannot be read.
        """
        loaded = ((one.stem, self._load(one)) for one in self.source.files(group_path(group)))
        return tuple(name for name, file in loaded if file is not None and identity in file.entries)

    def entry(self, group: str, identity: str, hardware: str) -> Entry | None:
        """The baseline of an experiment on a class of hardware; ``None`` if there is none.

        Raises:
            BaselineError: the baseline file cannot be read.
        """
        file = self._load(relative_path(group, hardware))
        return None if file is None else file.entries.get(identity)

    def has_anchors(self, group: str, identity: str) -> bool:
        """Whether sessions that runs are compared with have anchors, on any hardware.

        Raises:
            BaselineError: a baseline file cannot be read.
        """
        files = (self._load(relative_path(group, one)) for one in self.hardware_of(group, identity))
        entries = (file.entries[identity] for file in files if file is not None)
        return any(session.anchors for entry in entries for session in entry.current)

    def all(self) -> list[BaselineFile]:
        """Every file.

        Raises:
            BaselineError: one of them cannot be read.
        """
        loaded = map(self._load, self.source.files())
        return [file for file in loaded if file is not None]

    def _load(self, relative: PurePosixPath) -> BaselineFile | None:
        version = self.source.version(relative)
        if relative in self._read and self._read[relative][0] == version:
            return self._read[relative][1]
        if (there := self.source.read(relative)) is None:
            return None
        text, path = there
        content = parse_baselines(text, path)
        refuse_stranger(content, relative, path)
        self._read[relative] = (version, content)
        return content


class BaselineStore(Baselines):
    """The baselines in a directory; only :meth:`update` and :meth:`rewrite` ever write there."""

    def __init__(self, directory: Path) -> None:
        super().__init__(DirectorySource(directory))
        self.directory = directory

    def path(self, group: str, hardware: str) -> Path:
        """The file of a group on a class of hardware, whether or not it exists."""
        return self.directory / relative_path(group, hardware)

    def update(
        self,
        results: Iterable[ExperimentResult],
        environment: Mapping[str, Any],
        how: How | None = None,
        anchors: Sequence[ExperimentResult] = (),
    ) -> Update:
        """Make *results*, those of one run, the baselines of their experiments.

        What the run's *anchors* took on the devices of an experiment is stored with it.

        Repeats of one experiment are stored together, as a session behind those of
        before, in the place of one of the same run. An experiment of which any
        repeat failed or measured nothing valid is refused, and its old baseline
        stays. Entries of other experiments stay byte for byte. Nothing is written
        unless every file concerned is sound.

        Raises:
            BaselineError: a file is damaged or cannot be written.
        """
        update, how = Update(), how or How()
        entries: dict[tuple[str, str], dict[str, Entry]] = {}
        for repeats in _by_experiment(results):
            first = repeats[0]
            if (reason := refusal(repeats, environment)) is not None:
                update.refused.append(Refused(first.experiment_id, reason))
                continue
            hardware = hardware_class(first, environment)
            group = entries.setdefault((first.group, hardware), {})
            readings = readings_for(first, anchors)
            session = _with_provenance(session_of(repeats, environment, readings), how)
            group[identity_of_result(first)] = _entry(first, session)
            update.stored.append(Stored(first.experiment_id, self.path(first.group, hardware)))
        if entries:
            self._write(entries, how)
        return update

    def rewrite(self, change: Callable[[str, Entry], Entry | None]) -> list[Path]:
        """Have *change*, told the group, replace entries, or remove them by ``None``.

        What it gives back as it was stays byte for byte. A file without entries is removed.

        Returns:
            The files that were changed.

        Raises:
            BaselineError: a file is damaged, then nothing is written; or cannot be written.
        """
        if not self.source.files():
            return []
        with only_writer(self.directory):
            texts = {}
            for relative in self.source.files():
                path = self.directory / relative
                if (there := read_baselines(path)) is not None:
                    refuse_stranger(there[0], relative, path)
                    texts[path] = _changed(*there, change)
            changed = {path: text for path, text in texts.items() if text is not None}
            for path, text in changed.items():
                _put(path, text)
        return list(changed)

    def _write(self, entries: Mapping[tuple[str, str], Mapping[str, Entry]], how: How) -> None:
        with only_writer(self.directory):
            texts = {
                self.path(group, hardware): self._merged(group, hardware, changed, how)
                for (group, hardware), changed in entries.items()
            }
            for path, text in texts.items():
                put_text(path, text)

    def _merged(self, group: str, hardware: str, changed: Mapping[str, Entry], how: How) -> str:
        path = self.path(group, hardware)
        there = read_baselines(path)
        kept: dict[str, str] = {}
        before: Mapping[str, Entry] = {}
        if there is not None:
            refuse_stranger(there[0], relative_path(group, hardware), path)
            kept, before = _texts(*there), there[0].entries
        texts = {key: _text(_behind(before.get(key), one, how)) for key, one in changed.items()}
        return _file_text(group, hardware, {**kept, **texts})


def _behind(before: Entry | None, now: Entry, how: How) -> Entry:
    """The entry *now*, of one session, with the history of *before*."""
    (session,) = now.sessions
    others = before.sessions if before is not None else ()
    history = [one for one in others if one.run_id != session.run_id]
    begins = bool(history) and not how.extends
    sessions = [*history, session.model_copy(update={"begins": begins})][-how.sessions :]
    return now.model_copy(update={"sessions": tuple(sessions)})


def _with_provenance(session: BaselineSession, how: How) -> BaselineSession:
    provenance = Provenance(by=how.by, version=__version__, reason=how.reason)
    return session.model_copy(update={"provenance": provenance})


def _text(entry: Entry) -> str:
    return render(entry.model_dump(mode="json"), 2)


def _texts(file: BaselineFile, text: str) -> dict[str, str]:
    """The entries as they stand; anew where the file is of an older format."""
    if json.loads(text)["schema_version"] == SCHEMA_VERSION:
        return entry_texts(text)
    return {key: _text(entry) for key, entry in file.entries.items()}


def _changed(
    file: BaselineFile, text: str, change: Callable[[str, Entry], Entry | None]
) -> str | None:
    """The file's new text, empty if nothing is left of it; ``None`` if nothing changes."""
    made = {key: change(file.group, entry) for key, entry in file.entries.items()}
    if all(entry == file.entries[key] for key, entry in made.items()):
        return None
    kept = _texts(file, text)
    texts = {
        key: kept[key] if entry == file.entries[key] else _text(entry)
        for key, entry in made.items()
        if entry is not None
    }
    return _file_text(file.group, file.hardware, texts) if texts else ""


def _put(path: Path, text: str) -> None:
    if text:
        put_text(path, text)
    else:
        with explained(path):
            path.unlink()


def _by_experiment(results: Iterable[ExperimentResult]) -> list[list[ExperimentResult]]:
    experiments: dict[tuple[str, str], list[ExperimentResult]] = {}
    for result in results:
        experiments.setdefault((result.group, identity_of_result(result)), []).append(result)
    return list(experiments.values())


def _entry(result: ExperimentResult, session: BaselineSession) -> Entry:
    return Entry(
        label=result.label,
        config=identity_of(result.config),
        own_arguments=result.own_arguments,
        sessions=(session,),
    )


def _file_text(group: str, hardware: str, entries: Mapping[str, str]) -> str:
    rows = ",\n".join(f"    {render(key)}: {entries[key]}" for key in sorted(entries))
    return (
        f'{{\n  "entries": {{\n{rows}\n  }},\n  "group": {render(group)},\n'
        f'  "hardware": {render(hardware)},\n  "schema_version": {SCHEMA_VERSION}\n}}\n'
    )


def text_of(file: BaselineFile, text: str) -> str:
    """*file* in today's format; entries of a *text* in that format stay byte for byte."""
    return _file_text(file.group, file.hardware, _texts(file, text))


def refuse_stranger(there: BaselineFile, relative: PurePosixPath, path: Path) -> None:
    """Refuse a file that lies where another one belongs.

    Raises:
        BaselineError: it does, and where it belongs.
    """
    if relative_path(there.group, there.hardware) != relative:
        raise BaselineError(
            f"{path} holds the baselines of {there.group!r} on {there.hardware!r}, which belong "
            f"into {relative_path(there.group, there.hardware)}. Move it there, or rename the test."
        )
