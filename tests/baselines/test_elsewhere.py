"""Baselines that are read from another place: a directory, a file, a commit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.elsewhere import source_named
from pytest_llem.baselines.store import Baselines, BaselineStore
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]


def git(directory: Path, *arguments: str) -> str:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@invalid", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(directory), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment) -> Path:
    """A repository whose branch ``main`` has a baseline of 0.4 J and whose work tree one of 0.6 J."""
    top = tmp_path / "project"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    BaselineStore(top / "baselines").update([make_result([0.4])], make_environment())
    git(top, "add", "-A")
    git(top, "commit", "-qm", "one")
    git(top, "tag", "v1")
    BaselineStore(top / "baselines").update(
        [make_result([0.6], run_id="later")], make_environment()
    )
    return top


@pytest.fixture
def value(
    project: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> Callable[..., Any]:
    """J/token of the baseline in the place that is named."""

    def value(text: str, here: Path = project, baselines: Path = project / "baselines") -> Any:
        found = Baselines(source_named(text, here, baselines))
        entry = found.find(make_result(), make_environment())
        if entry is None:
            return None
        (sample,) = entry.current[-1].samples("workload", "energy_per_output_token_j")
        return sample.values[0]

    return value


def test_a_ref_of_any_kind_is_read_without_a_checkout(
    project: Path, value: Callable[..., Any]
) -> None:
    sha = git(project, "rev-parse", "main").strip()
    status = git(project, "status", "--porcelain")
    for ref in ("main", "HEAD", "v1", sha, sha[:10], "refs/heads/main", "main:baselines"):
        assert value(ref) == 0.4
    assert git(project, "status", "--porcelain") == status
    assert value("baselines") == 0.6


def test_a_file_or_a_directory_elsewhere(
    project: Path, tmp_path: Path, value: Callable[..., Any]
) -> None:
    (file,) = (project / "baselines").rglob("*.json")
    moved = tmp_path / "downloaded.json"
    moved.write_bytes(file.read_bytes())
    assert value(str(moved)) == 0.6
    assert value("downloaded.json", here=tmp_path) == 0.6
    empty = tmp_path / "empty"
    empty.mkdir()
    assert value(str(empty)) is None


def test_a_path_wins_over_a_ref_of_the_same_name(project: Path, value: Callable[..., Any]) -> None:
    (project / "main").mkdir()
    assert value("main") is None
    assert value("refs/heads/main") == 0.4


def test_a_worktree_of_a_subdirectory_finds_its_own_place(
    project: Path,
    make_result: MakeResult,
    make_environment: MakeEnvironment,
    value: Callable[..., Any],
) -> None:
    inner = project / "sub" / "project"
    BaselineStore(inner / "kept").update([make_result([0.9])], make_environment())
    git(project, "add", "-A")
    git(project, "commit", "-qm", "two")
    (inner / "kept").rename(inner / "gone")
    assert value("HEAD", here=inner, baselines=inner / "kept") == 0.9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mian", "neither a path nor a commit, branch or tag"),
        ("no/such/file.json", "neither a path nor a commit"),
        ("--output=x", "neither a path nor a git ref"),
        ("main:", "neither a path nor a git ref"),
        ("main:elsewhere", "main has no baselines in elsewhere/"),
        ("main^{tree}", "neither a path nor a commit"),
    ],
)
def test_what_is_not_there_is_said(value: Callable[..., Any], text: str, said: str) -> None:
    with pytest.raises(BaselineError) as refused:
        value(text)
    assert said in str(refused.value)


def test_a_directory_outside_of_the_repository_is_not_in_its_commits(
    project: Path, tmp_path: Path, value: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(BaselineError, match=r"git failed in .*: fatal: not a git repository"):
        value("main", baselines=tmp_path / "baselines")


def test_no_git_is_said(value: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BaselineError, match="there is no git on this machine"):
        value("main")


def test_a_damaged_file_of_a_commit_is_named_with_its_commit(
    project: Path, value: Callable[..., Any]
) -> None:
    (file,) = (project / "baselines").rglob("*.json")
    file.write_text(file.read_text(encoding="utf-8")[:200], encoding="utf-8")
    git(project, "commit", "-qam", "damaged")
    with pytest.raises(BaselineError) as refused:
        value("HEAD")
    assert "HEAD:baselines/bench/test_chat/test_chat/" in str(refused.value)
