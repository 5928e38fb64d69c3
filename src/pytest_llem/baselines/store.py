"""Baselines on disk: one file per group of experiments and class of hardware."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile, BaselineSession, Entry
from pytest_llem.baselines.hardware import LONGEST, hardware_class
from pytest_llem.baselines.reading import entry_texts, read_baselines
from pytest_llem.baselines.rendering import render
from pytest_llem.baselines.sessions import identity_of_result, refusal, session_of
from pytest_llem.baselines.writing import only_writer, replace_text
from pytest_llem.config.identity import digest, identity_of
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.results.schema import ExperimentResult


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


class BaselineStore:
    """The baselines in a directory; only :meth:`update` ever writes there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[Path, tuple[object, BaselineFile]] = {}

    def path(self, group: str, hardware: str) -> Path:
        """The file of a group on a class of hardware, whether or not it exists."""
        return self.directory / group_path(group) / f"{hardware}.json"

    def find(self, result: ExperimentResult, environment: Mapping[str, Any]) -> Entry | None:
        """The baseline of the experiment that *result* is of; ``None`` if there is none.

        That of its own hardware class if there is one. Else one of other hardware,
        whose fingerprint will say why the two cannot be compared.

        Raises:
            BaselineError: the baseline file cannot be read.
        """
        identity = identity_of_result(result)
        if result.measurement_methodology is not None:
            own = self._load(result.group, hardware_class(result, environment))
            if own is not None and identity in own.entries:
                return own.entries[identity]
        for hardware in self.hardware_of(result.group, identity):
            if (other := self._load(result.group, hardware)) is not None:
                return other.entries[identity]
        return None

    def hardware_of(self, group: str, identity: str) -> tuple[str, ...]:
        """Hardware classes that have a baseline of an experiment, sorted.

        Raises:
            BaselineError: a baseline file cannot be read.
        """
        files = (self.directory / group_path(group)).glob("*.json")
        names = sorted(path.stem for path in files if not path.name.startswith("."))
        loaded = ((name, self._load(group, name)) for name in names)
        return tuple(name for name, file in loaded if file is not None and identity in file.entries)

    def update(self, results: Iterable[ExperimentResult], environment: Mapping[str, Any]) -> Update:
        """Make *results*, those of one run, the baselines of their experiments.

        Repeats of one experiment are stored together. An experiment of which any
        repeat failed or measured nothing valid is refused, and its old baseline
        stays. Entries of other experiments stay byte for byte. Nothing is written
        unless every file concerned is sound.

        Raises:
            BaselineError: a file is damaged or cannot be written.
        """
        update = Update()
        entries: dict[tuple[str, str], dict[str, Entry]] = {}
        for repeats in _by_experiment(results):
            first = repeats[0]
            if (reason := refusal(repeats, environment)) is not None:
                update.refused.append(Refused(first.experiment_id, reason))
                continue
            hardware = hardware_class(first, environment)
            group = entries.setdefault((first.group, hardware), {})
            group[identity_of_result(first)] = _entry(first, session_of(repeats, environment))
            update.stored.append(Stored(first.experiment_id, self.path(first.group, hardware)))
        if entries:
            self._write(entries)
        return update

    def _write(self, entries: Mapping[tuple[str, str], Mapping[str, Entry]]) -> None:
        with only_writer(self.directory):
            texts = {
                self.path(group, hardware): self._merged(group, hardware, changed)
                for (group, hardware), changed in entries.items()
            }
            for path, text in texts.items():
                replace_text(path, text)

    def _merged(self, group: str, hardware: str, changed: Mapping[str, Entry]) -> str:
        path = self.path(group, hardware)
        there = read_baselines(path)
        kept = {}
        if there is not None:
            _refuse_stranger(there[0], group, hardware, path)
            kept = entry_texts(there[1])
        texts = {key: render(entry.model_dump(mode="json"), 2) for key, entry in changed.items()}
        return _file_text(group, hardware, {**kept, **texts})

    def _load(self, group: str, hardware: str) -> BaselineFile | None:
        path = self.path(group, hardware)
        version = _version(path)
        if path in self._read and self._read[path][0] == version:
            return self._read[path][1]
        if (there := read_baselines(path)) is None:
            return None
        _refuse_stranger(there[0], group, hardware, path)
        self._read[path] = (version, there[0])
        return there[0]


def group_path(group: str) -> PurePosixPath:
    """Where the files of a group lie: ``bench/test_chat.py::test_chat`` in ``bench/test_chat/test_chat``."""
    parts = re.split(r"::|/", group.replace(".py::", "::"))
    return PurePosixPath(*(_file_name(part) for part in parts if part))


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


def _refuse_stranger(there: BaselineFile, group: str, hardware: str, path: Path) -> None:
    if (there.group, there.hardware) != (group, hardware):
        raise BaselineError(
            f"{path} holds the baselines of {there.group!r} on {there.hardware!r}, not those of "
            f"{group!r} on {hardware!r}. Move it where it belongs, or rename the test."
        )


def _version(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _file_name(part: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", part).lstrip(".") or "-"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 17]}-{digest(part)}"
