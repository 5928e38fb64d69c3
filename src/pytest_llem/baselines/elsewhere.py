"""Baselines of another place, by what people write for it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_llem.baselines.git import commit_at
from pytest_llem.baselines.sources import DirectorySource, FileSource, GitSource
from pytest_llem.errors import BaselineError
from pytest_llem.paths import is_folder, is_there

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.baselines.sources import Source


def source_named(text: str, here: Path, baselines: Path) -> Source:
    """A directory, a file, a git ref, or ``REF:DIRECTORY``.

    Args:
        text: what was asked for; a path that exists is taken for one.
        here: directory that a relative path begins in.
        baselines: directory of this project's baselines; a ref's lie at the same place
            of its tree.

    Raises:
        BaselineError: there is no such thing, and what was looked for.
    """
    path = here / text
    if is_folder(path):
        return DirectorySource(path)
    if is_there(path):
        return FileSource(path)
    ref, colon, directory = text.partition(":")
    if not ref or ref.startswith("-") or (colon and not directory):
        raise BaselineError(
            f"{text!r} is neither a path nor a git ref. Write a path, REF or REF:DIRECTORY."
        )
    commit = commit_at(ref, _existing(baselines))
    if colon:
        return GitSource(commit, PurePosixPath(directory.strip("/")))
    try:
        inside = baselines.resolve().relative_to(commit.top.resolve())
    except ValueError:
        raise BaselineError(
            f"{baselines} is not in the repository {commit.top}, so that {ref} cannot have it. "
            f"Name a directory of that commit: {ref}:DIRECTORY"
        ) from None
    return GitSource(commit, PurePosixPath(*inside.parts))


def _existing(path: Path) -> Path:
    """*path*, or the closest directory around it that exists."""
    while not is_folder(path) and path != path.parent:
        path = path.parent
    return path
