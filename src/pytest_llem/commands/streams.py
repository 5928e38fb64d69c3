"""Standard streams: closed, impossible to write, and what they can show."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_llem.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = ("stdin", "stdout", "stderr")


@contextmanager
def standard_streams() -> Iterator[None]:
    """Have all three while the body runs, and tell what the system refused by the end of it.

    Raises:
        StoreError: the body, or writing what it said, raised ``OSError``.
    """
    _open_what_is_closed()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        _give_up_output()
        raise StoreError(_told(error)) from error


def has_colour(stream: TextIO) -> bool:
    """Whether what is written is to be coloured: what the environment says, as for pytest, or a terminal.

    ``PY_COLORS`` decides before https://no-color.org and https://force-color.org.
    """
    decided = os.environ.get("PY_COLORS")
    if decided in {"0", "1"}:
        return decided == "1"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_unicode(stream: TextIO) -> bool:
    """Whether it can write every sign."""
    return (stream.encoding or "").lower().startswith("utf")


def _open_what_is_closed() -> None:
    """Python has no stream where the shell closed one (``>&-``); nobody reads what it gets.

    The pytest that this process may become has it, too.
    """
    for name in STREAMS:
        if getattr(sys, name) is None:
            flags = os.O_RDONLY if name == "stdin" else os.O_WRONLY
            descriptor = os.open(os.devnull, flags)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w"))


def _give_up_output() -> None:
    """What is left to write would fail again, and loudly, when the interpreter ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def _told(error: OSError) -> str:
    if not error.filename and not _has_directory():
        return "the current directory is gone. Change to one that is there."
    what = f"{error.filename}" if error.filename else "what was asked for"
    said = (error.strerror or str(error)).lower()
    return f"cannot read or write {what}: {said}. Check that there is room, and that you may."


def _has_directory() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False
