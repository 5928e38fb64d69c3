"""Where locks lie: a directory that every user of the machine can write."""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "LLEM_LOCK_DIR"
NAME = "llem-locks"
PLACES = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - users have to meet; see lock_directory
EVERYBODYS = 0o1777
"""Everybody makes files there, nobody removes another's."""
WAYS_OUT = (
    f"Set {VARIABLE} to a directory that all users of these devices can write, or lift the locks "
    "with --llem-allow-shared, which marks the results."
)


def lock_directory(environ: Mapping[str, str]) -> Path:
    """Where locks lie for a process with *environ*.

    Which of the usual places it is must not depend on who asks: root and others have to
    meet. So the first one counts that is writable for everybody, not for this process, and
    ``TMPDIR`` has no part in it.
    """
    given = environ.get(VARIABLE)
    if given:
        return Path(given)
    open_places = [place for place in PLACES if _everybody_writes(place)]
    return (open_places or PLACES)[0] / NAME


def prepared(directory: Path) -> Path:
    """*directory*, made for everybody if it was not there.

    Raises:
        LockError: it cannot be made, or is none.
    """
    try:
        with suppress(FileExistsError):
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir()
            directory.chmod(EVERYBODYS)
        found = directory.lstat()
    except OSError as error:
        raise LockError(
            f"the directory for locks {directory} cannot be made: {error.strerror}. {WAYS_OUT}"
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise LockError(f"{directory} is not a directory, so no lock can lie there. {WAYS_OUT}")
    return directory


def refused(path: Path, error: OSError) -> LockError:
    """Why the lock file *path* cannot be opened, and what to do."""
    file = path if path.is_symlink() or path.exists() else path.parent
    try:
        found = file.lstat()
    except OSError:
        owned = ""
    else:
        owned = f"; {file} belongs to {_owner(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):o}"
    return LockError(f"the lock {path} cannot be opened: {error.strerror}{owned}. {WAYS_OUT}")


def _everybody_writes(place: Path) -> bool:
    try:
        found = place.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and bool(found.st_mode & stat.S_IWOTH)


def _owner(uid: int) -> str:
    if uid == os.getuid():
        return "you"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
