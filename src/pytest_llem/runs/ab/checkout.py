"""The files of a commit, beside the working tree for as long as they are measured."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError

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
    commit = _git(directory, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", ref=ref)
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


def _git(directory: Path, *arguments: str, ref: str | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list
            ["git", *arguments],  # noqa: S607 - whichever git there is
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ConfigError(f"ref= needs git, which does not run: {error}.") from error
    if done.returncode:
        if ref is not None:
            raise ConfigError(
                f"ref={ref}: no such commit, branch or tag here. Look at `git branch -a` and "
                "`git fetch` what is missing."
            )
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ConfigError(f"git {arguments[0]} in {directory}: {said[0]}")
    return done.stdout.strip()
