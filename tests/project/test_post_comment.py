"""A pull request has one comment for each key, whoever else comments and however often it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.github_double import BOT, REPOSITORY, TOKEN, GitHubDouble, github_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Post = Callable[..., int]

PLAIN = "<!-- pytest-llem -->"
FIRST, SECOND = f"{PLAIN}\n### First\n", f"{PLAIN}\n### Second\n"


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubDouble]:
    with github_double() as double:
        monkeypatch.setenv("GITHUB_API_URL", double.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
        monkeypatch.setenv("GITHUB_RUN_ID", "77")
        yield double


@pytest.fixture
def module(script: Callable[[str], Any]) -> Any:
    return script("scripts/github/post_comment.py")


@pytest.fixture
def post(module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Post:
    """Post a text, on pull request 7 unless told otherwise; the exit status."""
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    monkeypatch.setattr(module.Api.__init__, "__defaults__", (lambda _: None,))

    def post(text: str | None, *arguments: str) -> int:
        file = tmp_path / "comment.md"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text, encoding="utf-8")
        status: int = module.main([str(file), *(arguments or ["--pull-request=7"])])
        return status

    return post


def test_the_first_run_comments_and_the_next_updates(github: GitHubDouble, post: Post) -> None:
    assert post(FIRST) == 0
    assert post(SECOND) == 0
    assert github.bodies(7) == [SECOND]


def test_the_comment_is_found_on_whatever_page(github: GitHubDouble, post: Post) -> None:
    for number in range(5):
        github.comment(7, f"chat {number}", "someone")
    github.comment(7, FIRST)
    github.comment(7, "more chat", "someone")
    post(SECOND)
    assert github.bodies(7)[5] == SECOND
    assert len(github.bodies(7)) == 7


def test_each_key_has_a_comment_of_its_own(github: GitHubDouble, post: Post) -> None:
    for text in (FIRST, SECOND):
        for key in ("", "h100", "h100-2", "py3.13 (vllm)"):
            assert post(text, "--pull-request=7", f"--key={key}") == 0
    assert [body.splitlines() for body in github.bodies(7)] == [
        [PLAIN, "### Second"],
        ["<!-- pytest-llem: h100 -->", "### Second"],
        ["<!-- pytest-llem: h100-2 -->", "### Second"],
        ["<!-- pytest-llem: py3.13 (vllm) -->", "### Second"],
    ]


def test_a_marker_in_somebody_elses_comment_is_nobodys(github: GitHubDouble, post: Post) -> None:
    github.comment(7, FIRST, "mallory")
    github.comment(7, FIRST, None)
    github.comment(7, f"> {FIRST}", BOT)
    post(SECOND)
    assert github.bodies(7) == [FIRST, FIRST, f"> {FIRST}", SECOND]


def test_another_tokens_comments_are_found_by_its_login(github: GitHubDouble, post: Post) -> None:
    github.writer = "our-bot"
    for text in (FIRST, SECOND):
        post(text, "--pull-request=7", "--author=our-bot")
    assert github.bodies(7) == [SECOND]


def test_doubles_of_two_jobs_at_once_become_one(github: GitHubDouble, post: Post) -> None:
    github.comment(7, FIRST)
    github.comment(7, FIRST)
    post(SECOND)
    assert github.bodies(7) == [SECOND]


def test_a_run_that_measured_nothing_leaves_no_old_verdict(
    github: GitHubDouble, post: Post
) -> None:
    assert post(None) == 0
    assert github.bodies(7) == []
    post(FIRST)
    assert post(None) == 0
    (body,) = github.bodies(7)
    assert "measured nothing" in body
    assert "https://github.example/owner/project/actions/runs/77" in body
    post(SECOND)
    assert github.bodies(7) == [SECOND]


def test_a_token_that_may_only_read_is_a_warning(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    github.may_write = False
    assert post(FIRST) == 0
    said = capsys.readouterr().out
    assert said.startswith("::warning title=pytest-llem::")
    assert "pull-requests: write" in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    "refusal",
    [
        (403, "warning", "pull-requests: write"),
        (404, "error", "no such pull request"),
        (401, "error", "expired"),
    ],
    ids=lambda refusal: str(refusal[0]),
)
def test_a_token_that_may_not_even_read_is_told_of(
    github: GitHubDouble,
    post: Post,
    capsys: pytest.CaptureFixture[str],
    refusal: tuple[int, str, str],
) -> None:
    status, level, said = refusal
    github.refusals = [(status, {})]
    assert post(FIRST) == (level == "error")
    text = capsys.readouterr().out
    assert text.startswith(f"::{level} title=pytest-llem::GET")
    assert said in text


def test_a_limit_of_requests_is_no_lack_of_rights(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    github.refusals, github.refusal = [(403, {})], "API rate limit exceeded for installation"
    assert post(FIRST) == 1
    assert "pull-requests: write" not in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITHUB_REPOSITORY"])
def test_a_variable_that_is_not_set_is_named(
    post: Post,
    github: GitHubDouble,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: str,
) -> None:
    monkeypatch.delenv(missing)
    assert post(FIRST) == 1
    assert f"::error title=pytest-llem::{missing} not set" in capsys.readouterr().out
    assert not github.asked


def test_what_passes_is_waited_for(github: GitHubDouble, post: Post) -> None:
    github.refusals = [(503, {}), (403, {"Retry-After": "1"})]
    assert post(FIRST) == 0
    assert github.bodies(7) == [FIRST]


def test_what_does_not_pass_is_told(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    github.refusals = [(502, {})] * 3
    assert post(FIRST) == 1
    assert "::error title=pytest-llem::GET" in capsys.readouterr().out
    assert len(github.asked) == 3


def test_a_server_that_is_not_there_is_told(
    post: Post,
    github: GitHubDouble,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    assert post(FIRST) == 1
    assert "::error" in capsys.readouterr().out


def test_the_token_goes_to_no_other_server(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        github.comment(7, "chat", "someone")
    github.next_host = "http://127.0.0.2:1"
    assert post(FIRST) == 1
    assert "another server, 127.0.0.2:1" in capsys.readouterr().out


def test_a_comment_that_is_too_long_is_not_sent(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(f"{PLAIN}\n{'x' * 65_536}") == 1
    assert "GitHub takes 65536" in capsys.readouterr().out
    assert not [asked for asked in github.asked if asked.startswith("POST")]


def test_the_pull_request_of_a_fork_is_found_by_what_github_says(
    github: GitHubDouble, post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    head = {"label": "fork:a/b", "sha": "new"}
    github.pulls = [
        {"number": 3, "head": {"label": "other:a/b", "sha": "new"}},
        {"number": 4, "head": {**head, "sha": "old"}},
        {"number": 5, "head": {**head, "sha": "older"}},
        {"number": 9, "head": head},
    ]
    assert post(FIRST, "--head=fork:a/b", "--sha=new") == 0
    assert github.bodies(9) == [FIRST]
    assert post(FIRST, "--head=fork:a/b", "--sha=gone") == 0
    assert "no open pull request from fork:a/b is at gone" in capsys.readouterr().out
    assert set(github.comments) == {9}


@pytest.mark.parametrize("key", ["-->", "a --> b", "a\nb", "x" * 101, "<b>"])
def test_a_key_that_would_end_the_marker_is_refused(
    post: Post, github: GitHubDouble, key: str
) -> None:
    with pytest.raises(SystemExit):
        post(FIRST, "--pull-request=7", f"--key={key}")
    assert not github.asked
