"""Paths as people write them: looking at one raises nothing, whatever it is.

``pathlib`` raises where a name is too long, has a null character, or names a user who is none.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether there is anything that the system finds by *path*."""
    return os.path.exists(path)  # noqa: PTH110 - as above


def is_folder(path: Path) -> bool:
    """Whether *path* is a directory."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def is_file(path: Path) -> bool:
    """Whether *path* is a regular file."""
    return os.path.isfile(path)  # noqa: PTH113 - as above


def expanded(text: str) -> Path:
    """The path that *text* is, with ``~`` for a home as far as that is known."""
    if "\0" in text:
        return Path(text)
    return Path(os.path.expanduser(text))  # noqa: PTH111 - as above
