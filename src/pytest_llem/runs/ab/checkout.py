"""The files of a commit, beside the working tree for as long as they are measured."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.git import git
from pytest_llem.errors import BaselineError, ConfigError
from pytest_llem.isolation.process_identity import boot_id, pid_namespace, started, still_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "llem-ref-"
"""What the temporary folders of commits begin with."""
OWNER = "owner.json"
"""In such a folder: the process that it is for."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a side's files are."""

    directory: Path
    """The place that corresponds to the folder the comparison was started in."""
    top: Path
    """Top folder of their repository; *directory* if they are in none."""


@contextmanager
def checked_out(ref: str | None, directory: Path) -> Iterator[Files]:
    """The place that *directory* has among the files of *ref*; itself if that is ``None``.

    Neither the working tree nor the branch that is checked out is touched. Files that git
    does not track are not there. What an earlier process had no time to remove, is removed.

    Raises:
        ConfigError: *directory* belongs to no repository, or it has no such commit.
    """
    if ref is None:
        yield Files(directory, directory)
        return
    root = Path(_git(directory, "rev-parse", "--show-toplevel"))
    commit = _commit(root, ref)
    _remove_abandoned(root)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as parent:
        _own(Path(parent))
        tree = Path(parent) / "tree"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            place = tree / directory.resolve().relative_to(root.resolve())
            if not place.is_dir():
                raise ConfigError(f"{ref} has no folder {place.relative_to(tree)}.")
            yield Files(place, tree)
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _own(folder: Path) -> None:
    owner = {"pid": os.getpid(), "started": started(os.getpid())}
    where = {"boot": boot_id(), "namespace": pid_namespace()}
    (folder / OWNER).write_text(json.dumps({**owner, **where}), encoding="utf-8")


def _remove_abandoned(root: Path) -> None:
    """Remove what processes that were killed have left of *root*'s commits."""
    listed = _git(root, "worktree", "list", "--porcelain")
    lines = (line for line in listed.splitlines() if line.startswith("worktree "))
    for tree in (Path(line.removeprefix("worktree ")) for line in lines):
        if tree.parent.name.startswith(PREFIX) and not _is_in_use(tree.parent):
            with suppress(ConfigError):  # then it stays until the next time
                _git(root, "worktree", "remove", "--force", str(tree))
            shutil.rmtree(tree.parent, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    """Whether the process that *folder* is for may still run; it is believed where it cannot be seen."""
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        if owner["boot"] != boot_id():
            return False
        return bool(owner["namespace"] != pid_namespace()) or still_runs(
            owner["pid"], owner["started"]
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False


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
