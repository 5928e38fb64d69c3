"""Changing a directory of baselines: one writer at a time, and every file whole."""

from __future__ import annotations

import fcntl
import glob
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pytest_llem.errors import BaselineError
from pytest_llem.results.files import reason_and_remedy, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = ".lock"
LOCK_TIMEOUT_S = 60.0
_POLL_S = 0.02


@contextmanager
def only_writer(directory: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Keep every other writer out of *directory*, which is made if need be.

    The lock file is gone afterwards, so that it never shows up beside the baselines.

    Raises:
        BaselineError: the directory cannot be written, or another process keeps it locked.
    """
    with explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(directory / LOCK_NAME, timeout_s)
    try:
        yield
    finally:
        # Unlinked while still locked: whoever waited on this file sees that it is stale.
        with suppress(OSError):
            (directory / LOCK_NAME).unlink()
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Write *path* so that at any instant it has its old content or the whole new one.

    Raises:
        BaselineError: it could not be written; what was there before is untouched.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())


def put_text(path: Path, text: str) -> None:
    """As :func:`replace_text`, for the only writer: what killed ones left beside *path* goes.

    Raises:
        BaselineError: it could not be written; what was there before is untouched.
    """
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):
            remains.unlink()
    replace_text(path, text)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the body into what happened to *path* and what to do.

    Raises:
        BaselineError: the body raised ``OSError``.
    """
    try:
        yield
    except OSError as error:
        reason, remedy = reason_and_remedy(error)
        raise BaselineError(
            f"cannot write the baseline {path}: {reason}. {remedy}, or keep baselines elsewhere "
            "with --llem-baselines DIR. What was there before is untouched."
        ) from error


def _lock(path: Path, timeout_s: float) -> int:
    deadline = time.monotonic_ns() + int(timeout_s * 1e9)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        if _taken(descriptor, path):
            return descriptor
        os.close(descriptor)
        if time.monotonic_ns() > deadline:
            raise BaselineError(
                f"another process has been writing baselines for {timeout_s:g} s: {path} is locked. "
                "Wait until it is done, or end it."
            )
        time.sleep(_POLL_S)


def _taken(descriptor: int, path: Path) -> bool:
    """Whether *descriptor* is now locked and still the file that others would lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
