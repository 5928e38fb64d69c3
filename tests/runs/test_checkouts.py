"""The files of a commit, beside the working tree."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_llem.isolation.process_identity import boot_id, pid_namespace, started
from pytest_llem.runs.ab.checkout import OWNER, PREFIX, checked_out

if TYPE_CHECKING:
    from pathlib import Path


def git(directory: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "project/bench").mkdir(parents=True)
    (tmp_path / "project/bench/file").write_text("", encoding="utf-8")
    git(tmp_path / "project", "init", "--quiet", "--initial-branch=main")
    git(tmp_path / "project", "add", ".")
    git(tmp_path / "project", "commit", "--quiet", "-m", "one")
    return tmp_path / "project"


def left_behind(repository: Path, name: str, pid: int) -> Path:
    """A folder of a commit, as a process that was killed leaves it."""
    parent = repository.parent / f"{PREFIX}{name}"
    parent.mkdir()
    owner = {"pid": pid, "started": started(os.getpid()), "boot": boot_id()}
    (parent / OWNER).write_text(json.dumps({**owner, "namespace": pid_namespace()}), "utf-8")
    git(repository, "worktree", "add", "--quiet", "--detach", str(parent / "tree"))
    return parent


def test_what_a_killed_process_has_left_is_removed_and_what_is_in_use_is_not(
    repository: Path,
) -> None:
    killed = left_behind(repository, "killed", 2**22 + 1)
    running = left_behind(repository, "running", os.getpid())
    lost = left_behind(repository, "lost", os.getpid())
    (lost / OWNER).unlink()
    mine = repository.parent / "mine"
    git(repository, "worktree", "add", "--quiet", "--detach", str(mine))
    with checked_out("main", repository / "bench") as files:
        assert (files.directory / "file").exists()
        assert files.directory.parent == files.top
        assert not killed.exists()
        assert not lost.exists()
        assert (running / "tree/bench/file").exists()
    assert not files.top.exists()
    listed = git(repository, "worktree", "list")
    assert [str(path) in listed for path in (mine, running, killed, lost)] == [
        True,
        True,
        False,
        False,
    ]
