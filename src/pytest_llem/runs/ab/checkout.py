"""The files of a commit, beside the working tree for as long as they are measured."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.git import git
from pytest_llem.errors import BaselineError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def checked_out(ref: str | None, directory: Path) -> Iterator[Path]:
    """The place that *directory* has among the files of *ref*; itself if that is ``None``.

    Neither the working tree nor the branch that is checked out is touched. Files that git
    does not track are not there.

    Raises:
        ConfigError: *directory* belongs to no repository, or it has no such commit.
    """
    if ref is None:
        yield directory
        return
    root = Path(_git(directory, "rev-parse", "--show-toplevel"))
    commit = _commit(root, ref)
    with tempfile.TemporaryDirectory(prefix="llem-ref-") as parent:
        tree = Path(parent) / "tree"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            place = tree / directory.resolve().relative_to(root.resolve())
            if not place.is_dir():
                raise ConfigError(f"{ref} has no folder {place.relative_to(tree)}.")
            yield place
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _commit(root: Path, ref: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    except ConfigError as error:
        raise ConfigError(
            f"ref={ref}: no such commit, branch or tag here. Look at `git branch -a` and "
            "`git fetch` what is missing."
        ) from error


def _git(directory: Path, *arguments: str) -> str:
    """As git prints it; a large work tree takes the time that it takes."""
    try:
        return git(directory, *arguments, timeout_s=None).strip()
    except BaselineError as error:
        raise ConfigError(f"ref= needs the files of a commit, but {error}") from error
