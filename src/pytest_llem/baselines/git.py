"""Commits of a repository, asked of git; their files are read with ``git show``, the work tree stays as it is."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_llem.errors import BaselineError

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository on this machine."""

    top: Path
    """Top directory of its work tree."""
    sha: str
    label: str
    """As it was asked for."""

    def files(self, directory: PurePosixPath) -> list[PurePosixPath]:
        """All files below *directory*.

        Raises:
            BaselineError: git failed.
        """
        listed = git(
            self.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.sha,
            *([] if directory == PurePosixPath() else ["--", str(directory)]),
        )  # fmt: skip
        return [PurePosixPath(name) for name in listed.split("\0") if name]

    def text(self, file: PurePosixPath) -> str:
        """The content of *file*.

        Raises:
            BaselineError: git failed, or it is not UTF-8.
        """
        return git(self.top, "show", f"{self.sha}:{file}")


def commit_at(ref: str, directory: Path) -> Commit:
    """The commit that *ref* names in the repository around *directory*.

    Raises:
        BaselineError: there is no git, no repository, or no such ref.
    """
    top = Path(git(directory, "rev-parse", "--show-toplevel").rstrip("\n"))
    try:
        sha = git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except BaselineError as error:
        raise BaselineError(
            f"{ref!r} is neither a path nor a commit, branch or tag of {top}. If it is a branch of a "
            f"remote, fetch it (git fetch origin {ref}) and name it origin/{ref}."
        ) from error
    return Commit(top, sha.strip(), ref)


def git(directory: Path, *arguments: str, timeout_s: float | None = TIMEOUT_S) -> str:
    """What ``git`` with *arguments* prints in *directory*.

    Args:
        directory: where it is asked.
        arguments: its command and what belongs to it.
        timeout_s: how long it may take; ``None`` is no limit.

    Raises:
        BaselineError: there is no git, it failed or took too long, or printed no UTF-8.
    """
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list
            command,
            capture_output=True,
            check=False,
            timeout=timeout_s,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except FileNotFoundError as error:
        raise BaselineError(
            "there is no git on this machine, which other commits are looked up with. Install it, "
            "or name a directory."
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BaselineError(f"git did not run: {error}. Try: {' '.join(command)}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise BaselineError(f"git failed in {directory}: {said}")
    try:
        return done.stdout.decode()
    except UnicodeDecodeError as error:
        raise BaselineError(f"{arguments[-1]} is not UTF-8 text: it is no baseline.") from error
