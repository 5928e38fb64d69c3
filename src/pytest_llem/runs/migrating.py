"""Bringing stored files into today's format, where they lie: ``llem migrate``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_llem.baselines.upgrading import directory_of, upgraded_text
from pytest_llem.baselines.writing import only_writer, put_text
from pytest_llem.errors import ConfigError, LlemError, StoreError
from pytest_llem.results.files import explained, replaced
from pytest_llem.results.journal import JOURNAL
from pytest_llem.results.load import read_bytes
from pytest_llem.runs.stored_files import BASELINE, read_stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.runs.stored_files import StoredFile

DEFAULTS = (Path("baselines"), Path(".llem"))
State = Literal["current", "upgraded", "outdated", "refused"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one stored file."""

    path: Path
    state: State
    """``outdated`` is what a dry run would upgrade; ``refused`` is left alone."""
    kind: str | None = None
    """Such as ``baseline``; ``None`` if it could not be told."""
    before: int | None = None
    """Version of its format."""
    now: int | None = None
    """Version that it has, or would have."""
    backup: Path | None = None
    """Where the file is kept as it was."""
    reason: str | None = None
    """Why it was refused, and what to do."""

    def __str__(self) -> str:
        if self.state == "refused":
            return f"refused   {self.reason}"
        said = f"{self.state:9} {self.path}: {self.kind} {self.before}"
        said += f" → {self.now}" if self.before != self.now else ""
        return said + (f", as it was in {self.backup.name}" if self.backup else "")


def migrate(paths: Sequence[Path] = (), *, dry_run: bool = False) -> list[Migrated]:
    """Bring stored files into today's format, each at once or not at all.

    What is of a newer version, damaged or in use is told and left alone. A file is kept as it was,
    beside the new one (``NAME.json.v1.bak``). What is of today's format stays byte for byte, so
    that a second time changes nothing; two at once wait for each other.

    Args:
        paths: files, and directories with all that is in them; by default ``baselines`` and
            ``.llem``, as far as they are there.
        dry_run: change nothing.

    Returns:
        One a file of pytest-llem, in order. Files of others in directories are passed over.

    Raises:
        ConfigError: one of *paths* is not there; nothing was changed.
    """
    paths = paths or [path for path in DEFAULTS if path.exists()]
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or directory.")
    named = {path for path in paths if not path.is_dir()}
    files = dict.fromkeys(file for path in paths for file in _files(path))
    found = (_migrate(file, dry_run=dry_run, named=file in named) for file in files)
    return [one for one in found if one is not None]


def _files(path: Path) -> Iterator[Path]:
    """Files that may be ours; raw data is neither, as what reads it reads all versions."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        ours = file.suffix == ".json" or file.name == JOURNAL
        if ours and not file.name.startswith(".") and file.is_file():
            yield file


def _migrate(path: Path, *, dry_run: bool, named: bool) -> Migrated | None:
    try:
        stored = read_stored(path)
        if stored is None:
            reason = f"{path} is no file that pytest-llem stores."
            return Migrated(path, "refused", reason=reason) if named else None
        if stored.version == stored.kind.version:
            return _told(stored, "current")
        return _told(stored, "outdated") if dry_run else _upgrade(stored)
    except LlemError as error:
        return Migrated(path, "refused", reason=f"{error} It is left as it is.")


def _upgrade(stored: StoredFile) -> Migrated:
    """Write *stored* in today's format, unless somebody else has done so by now."""
    path, kind = stored.path, stored.kind
    if kind is not BASELINE:  # the only kind that there is an older version of
        raise StoreError(f"{path}: nobody knows how to upgrade a {kind.name} {stored.version}.")
    with ExitStack() as stack:
        stack.enter_context(only_writer(directory_of(_text(path), path)))
        content = read_bytes(path)
        now = read_stored(path)
        if now is None or now.version == kind.version:
            return _told(stored, "current", before=kind.version)
        backup = _backed_up(path, content, now.version)
        put_text(path, upgraded_text(content.decode(), path))
    return _told(stored, "upgraded", backup=backup)


def _text(path: Path) -> str:
    return read_bytes(path).decode()


def _told(
    stored: StoredFile, state: State, *, before: int | None = None, backup: Path | None = None
) -> Migrated:
    kind = stored.kind
    before = stored.version if before is None else before
    return Migrated(stored.path, state, kind.name, before, kind.version, backup)


def _backed_up(path: Path, content: bytes, version: int) -> Path:
    """Keep *content* beside *path*, on disk; what is there of before is never overwritten."""
    for number in count(1):
        again = "" if number == 1 else f".{number}"
        backup = path.with_name(f"{path.name}.v{version}{again}.bak")
        with explained("read", backup):
            there = backup.read_bytes() if backup.exists() else None
        if there == content:
            return backup
        if there is None:
            with replaced(backup) as file:
                file.write(content)
            return backup
    raise AssertionError  # count() has no end
