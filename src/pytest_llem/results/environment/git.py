"""The commit of the project under test."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pytest_llem.results.environment.snapshot import Git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT_S = 2.0
_POINTERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
"""Set inside git's hooks; they would name another repository than *root*'s."""


def git_state(root: Path, environ: Mapping[str, str]) -> Git | None:
    """Commit, branch and cleanness of the repository around *root*; untracked files are no dirt."""
    try:
        status = _git(root, environ, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    except subprocess.TimeoutExpired:
        return Git(commit=_git(root, environ, "rev-parse", "HEAD").strip() or None)
    lines = status.splitlines()
    header = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    return Git(
        commit=_unless(header.get("branch.oid"), "(initial)"),
        branch=_unless(header.get("branch.head"), "(detached)"),
        dirty=any(not line.startswith("#") for line in lines),
    )


def _unless(value: str | None, nothing: str) -> str | None:
    return None if value == nothing else value


def _git(root: Path, environ: Mapping[str, str], *arguments: str) -> str:
    """Output of git, which takes no lock and starts no helper.

    Raises:
        OSError: there is no git, or no *root*.
        subprocess.SubprocessError: it failed or took too long.
    """
    environment = {name: value for name, value in environ.items() if name not in _POINTERS}
    return subprocess.run(  # noqa: S603  fixed arguments, no shell
        ["git", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607  the git the user has
        cwd=root,
        env=environment | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        timeout=_TIMEOUT_S,
    ).stdout
