"""Files that are either complete and on disk, or not there at all."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_llem.errors import StoreError
from pytest_llem.paths import is_file, is_folder, is_there

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space"),
    errno.EFBIG: ("it would exceed the limit on file sizes", "Raise the limit"),
    errno.EROFS: ("the file system is read-only", "Mount it writable"),
    errno.EACCES: ("permission is denied", "Change the permissions"),
    errno.EPERM: ("permission is denied", "Change the permissions"),
    errno.ENOTDIR: ("a file is where a directory is needed", "Move that file away"),
    errno.EEXIST: ("a file is where a directory is needed", "Move that file away"),
    errno.EISDIR: ("a directory is where a file is needed", "Move that directory away"),
    errno.ENAMETOOLONG: ("its name is too long", "Give a shorter one"),
    errno.ENOENT: (
        "it, or the directory it belongs in, does not exist",
        "If it was deleted while the run was going, start the run again",
    ),
}
_OPEN = Path("/proc/self/fd")
"""What this process has open; ``/dev/fd`` and ``/dev/stdout`` lead there."""
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.ENOTSUP}


def reason_and_remedy(error: OSError) -> tuple[str, str]:
    """What kept a file from being read or written, and what to do about it."""
    unknown = (f"the system says {error.strerror or error}", "Check that disk")
    return _REASONS.get(error.errno or 0, unknown)


@contextmanager
def explained(action: Literal["create", "read", "write"], path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the body, which does *action* with *path*, into advice.

    Raises:
        StoreError: the body raised ``OSError``.
    """
    try:
        yield
    except OSError as error:
        reason, remedy = reason_and_remedy(error)
        elsewhere = (
            ""
            if action == "read"
            else ", or keep runs elsewhere: --llem-dir DIR (llem run --dir DIR)"
        )
        raise StoreError(f"cannot {action} {path}: {reason}. {remedy}{elsewhere}.") from error


class NewFile:
    """A file that is written beside its final place and appears there once it is complete.

    The temporary file's name is hidden, so that a reader never takes one that a
    killed process left behind for a finished file.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self.path = path
        self._temporary = temporary

    @classmethod
    def claim(cls, path: Path) -> NewFile | None:
        """Reserve *path* among all processes; ``None`` if it exists or another is writing it."""
        temporary = path.with_name(f".{path.name}.claim")
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return None
        if os.path.lexists(path):
            temporary.unlink()
            return None
        return cls(path, temporary)

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """The temporary file; on disk once the body ends, gone if the body fails."""
        try:
            with self._temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self.discard()
            raise

    def publish(self) -> None:
        """Let the file appear in its place, for good."""
        self._temporary.replace(self.path)
        sync_directory(self.path.parent)

    def discard(self) -> None:
        """Give the place up again."""
        with suppress(OSError):
            self._temporary.unlink()


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Write *path* so that at any instant it has its old content or the whole new one.

    Raises:
        StoreError: it could not be written; what was there before is untouched.
    """
    with explained("write", path), replacing(path) as file:
        yield file


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """As :func:`replaced`, for those who say in words of their own what went wrong.

    A device or a pipe (``/dev/stdout``, a shell's ``>(…)``) is written to as it is.

    Raises:
        OSError: it could not be written; what was there before is untouched.
    """
    stream = _stream(path)
    if stream is not None:
        with stream:
            yield stream
        return
    new = NewFile(path, path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp"))
    try:
        with new.writing() as file:
            yield file
        new.publish()
    except BaseException:
        new.discard()
        raise


def _stream(path: Path) -> BinaryIO | None:
    """What *path* is if nothing can take its place: a device, a pipe, what this process has open."""
    target = path.parent / path.readlink() if path.is_symlink() else path
    if target.parent.resolve() == _OPEN.resolve() and target.name.isdecimal():
        return os.fdopen(os.dup(int(target.name)), "wb")  # a file goes on where its position is
    if is_there(path) and not (is_file(path) or is_folder(path)):
        return path.open("wb")
    return None


def sync_directory(directory: Path) -> None:
    """Make the names in *directory* survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems cannot sync a directory; a rename is all they offer.
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)


def listed(directory: Path, suffix: str) -> list[Path]:
    """What *directory* holds with *suffix*, sorted, without hidden (temporary) files.

    Raises:
        StoreError: *directory* cannot be read.
    """
    with explained("read", directory):
        return sorted(
            path
            for path in directory.iterdir()
            if path.suffix == suffix and not path.name.startswith(".")
        )
