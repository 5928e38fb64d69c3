"""A directory of its own for what targets write."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
"""A file system that no disk wears by."""


@cache
def folder(name: str) -> Path:
    """A new directory, removed when this process ends."""
    place = Path(tempfile.mkdtemp(prefix=f"llem-{name}-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def written(folder_name: str, name: str, content: str | bytes) -> Path:
    """A file of that name with *content*."""
    path = folder(folder_name) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        content.encode(errors="surrogatepass") if isinstance(content, str) else content
    )
    return path
