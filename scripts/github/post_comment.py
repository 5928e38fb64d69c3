"""Post a comment on a pull request, or update the one that is there.

    post_comment.py FILE [--key KEY] (--pull-request N | --head OWNER:BRANCH --sha SHA)

Needs nothing but Python, so that it runs wherever a runner does. The token is read from
``GITHUB_TOKEN``, the place from ``GITHUB_REPOSITORY`` and ``GITHUB_API_URL``.

A hidden marker in the first line finds the comment again; only comments of ``--author`` count,
since anybody can write a marker. Each ``--key`` has a comment of its own. Without FILE's file, an
existing comment is told that nothing was measured, and no new one is made.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LIMIT = 65_536
"""Characters that GitHub takes."""
MARKER = re.compile(r"<!-- pytest-llem(?:: .*)? -->")
KEY = re.compile(r"[\w.,/ ()@+=\[\]-]{1,100}")
REPOSITORY, TOKEN = "GITHUB_REPOSITORY", "GITHUB_TOKEN"
ACTIONS_BOT = "github-actions[bot]"
NOTHING = "### Energy: the latest run measured nothing"
_TRIES = 3
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 30.0
_AGAIN = {429, 500, 502, 503, 504}
_FORBIDDEN = {403, 404}
"""What GitHub says to a token without rights; of private repositories also where it only reads."""


class PostError(Exception):
    """GitHub did not do what it was asked, and what to do."""


class ReadOnlyError(PostError):
    """The token may not comment here, as those of forks may not."""


@dataclass(frozen=True)
class Api:
    """GitHub's REST interface of one repository."""

    url: str
    repository: str
    token: str
    pause: Callable[[float], None] = time.sleep

    def ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """The answer to one request, as JSON.

        Raises:
            PostError: there is none, or it is a refusal.
        """
        return self._answer(method, f"{self.url}/repos/{self.repository}/{path}", body)[0]

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """Every item of a list, however many pages it has.

        Raises:
            PostError: a page could not be had.
        """
        between = "&" if "?" in path else "?"
        url: str | None = f"{self.url}/repos/{self.repository}/{path}{between}per_page=100"
        while url is not None:
            items, links = self._answer("GET", url, None)
            yield from items
            url = self._next(links)

    def _next(self, links: str) -> str | None:
        """Address of the next page, if it is on the same server: the token goes nowhere else."""
        found = re.search(r'<([^<>]+)>;\s*rel="next"', links)
        if found is None:
            return None
        here, there = urlsplit(self.url), urlsplit(found[1])
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise PostError(f"the next page of comments is at another server, {there.netloc}.")
        return found[1]

    def _answer(self, method: str, url: str, body: Mapping[str, str] | None) -> tuple[Any, str]:
        for left in reversed(range(_TRIES)):
            try:
                return self._once(method, url, body)
            except urllib.error.HTTPError as error:
                wait_s = _wait_s(error)
                if wait_s is None or not left:
                    raise _refused(method, url, error) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not left:
                    raise PostError(f"{method} {url}: {error}. Run the job again.") from error
                wait_s = 1.0
            self.pause(wait_s)
        raise AssertionError  # the last try returns or raises

    def _once(self, method: str, url: str, body: Mapping[str, str] | None) -> tuple[Any, str]:
        request = urllib.request.Request(  # noqa: S310 - the address is the runner's own
            url,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "pytest-llem",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
            content = answer.read()
            return json.loads(content) if content else None, answer.headers.get("Link", "")


def _wait_s(error: urllib.error.HTTPError) -> float | None:
    """How long to wait before the same is asked again; ``None`` if that is no use."""
    said = error.headers.get("Retry-After")
    if said is not None and said.isdecimal():
        return min(float(said), _LONGEST_WAIT_S)
    return 2.0 if error.code in _AGAIN else None


def _refused(method: str, url: str, error: urllib.error.HTTPError) -> PostError:
    try:
        said = json.loads(error.read())["message"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        said = error.reason
    text = f"{method} {url}: {error.code}, {said}"
    if error.code == http.HTTPStatus.UNAUTHORIZED:
        return PostError(f"{text}. The token is not one of this server, or has expired.")
    if error.code == http.HTTPStatus.NOT_FOUND and method == "GET":
        return PostError(f"{text}. There is no such pull request, or the token may not see it.")
    if error.code in _FORBIDDEN and "rate limit" not in str(said).lower():
        return ReadOnlyError(
            f"{text}. The token may not comment: give the job the permission pull-requests: write. "
            "Tokens of pull requests from forks never may; docs/ci.md says how to comment on those."
        )
    return PostError(f"{text}. Run the job again.")


def marked(text: str, key: str) -> str:
    """*text* with the marker of *key* as its first line.

    Raises:
        PostError: it is too long.
    """
    first, _, rest = text.partition("\n")
    body = f"{marker(key)}\n{rest if MARKER.fullmatch(first) else text}"
    if len(body) > LIMIT:
        raise PostError(f"the comment has {len(body)} characters, and GitHub takes {LIMIT}.")
    return body


def marker(key: str) -> str:
    """The hidden line by which the comment of *key* is found again."""
    return f"<!-- pytest-llem: {key} -->" if key else "<!-- pytest-llem -->"


def pull_request(api: Api, head: str, sha: str) -> int | None:
    """Number of the open pull request from *head* that is at *sha*; ``None`` if it has moved on.

    Raises:
        PostError: they cannot be listed.
    """
    found = api.all(f"pulls?state=open&head={quote(head, safe='')}")
    return next((one["number"] for one in found if one["head"]["sha"] == sha), None)


def post(api: Api, number: int, body: str, author: str, *, only_update: bool = False) -> str:
    """Have *body* as the one comment of *author* with its marker; what was done, as a sentence.

    Raises:
        PostError: GitHub did not take it.
    """
    first_line = body.partition("\n")[0]
    own = [
        comment["id"]
        for comment in api.all(f"issues/{number}/comments")
        if (comment["user"] or {}).get("login") == author
        and (comment["body"] or "").partition("\n")[0].rstrip() == first_line
    ]
    if not own:
        if only_update:
            return f"pull request {number} has no comment, and there is nothing to tell"
        made = api.ask("POST", f"issues/{number}/comments", {"body": body})
        return f"commented on pull request {number}: {made['html_url']}"
    for double in own[1:]:
        api.ask("DELETE", f"issues/comments/{double}")
    made = api.ask("PATCH", f"issues/comments/{own[0]}", {"body": body})
    return f"updated the comment on pull request {number}: {made['html_url']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Post what the command line says; the exit status."""
    asked = _parsed(arguments)
    environment = os.environ
    try:
        api = _api(environment)
        number = asked.pull_request or pull_request(api, asked.head, asked.sha)
        if number is None:
            print(
                f"no open pull request from {asked.head} is at {asked.sha}: nothing to comment on"
            )
            return 0
        there = asked.file.is_file()
        text = _text(asked.file) if there else _nothing(environment)
        print(post(api, number, marked(text, asked.key), asked.author, only_update=not there))
    except ReadOnlyError as error:
        print(f"::warning title=pytest-llem::{_escaped(str(error))}")
    except PostError as error:
        print(f"::error title=pytest-llem::{_escaped(str(error))}")
        return 1
    return 0


def _api(environment: Mapping[str, str]) -> Api:
    missing = [name for name in (REPOSITORY, TOKEN) if not environment.get(name)]
    if missing:
        raise PostError(f"{' and '.join(missing)} not set: which repository, and as whom?")
    url = environment.get("GITHUB_API_URL", "https://api.github.com")
    return Api(url, environment[REPOSITORY], environment[TOKEN])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PostError(f"{file} cannot be read: {error}") from error


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "file", type=Path, help="the comment, as the exporter github-comment writes"
    )
    parser.add_argument("--key", default="", help="keeps several comments apart")
    parser.add_argument("--author", default=ACTIONS_BOT, help="whose comments the token writes")
    parser.add_argument("--pull-request", type=int)
    parser.add_argument("--head", help="OWNER:BRANCH of the pull request")
    parser.add_argument("--sha", help="the commit that was measured")
    asked = parser.parse_args(arguments)
    if asked.key and not (KEY.fullmatch(asked.key) and "--" not in asked.key):
        parser.error(f"--key {asked.key!r}: letters, digits and . , / ( ) @ + = [ ] - are allowed")
    if not asked.pull_request and not (asked.head and asked.sha):
        parser.error("which pull request? Give --pull-request, or --head and --sha")
    return asked


def _nothing(environment: Mapping[str, str]) -> str:
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    job = f"{server}/{environment[REPOSITORY]}/actions/runs/"
    return f"{NOTHING}\n\n[Its log]({job}{environment.get('GITHUB_RUN_ID', '')}) says why.\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    sys.exit(main())
