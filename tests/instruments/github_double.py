"""A server that answers like the few parts of GitHub's REST interface that comments need."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = "owner/project"
TOKEN = "t0ken"  # noqa: S105 - of the double
BOT = "github-actions[bot]"
LIMIT = 65_536


@dataclass
class GitHubDouble:
    """What the server knows, and what it was asked."""

    url: str = ""
    page_size: int = 2
    """Items of a page, however many are asked for."""
    writer: str = BOT
    """Who comments with the token."""
    may_write: bool = True
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """By pull request, oldest first."""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Statuses and headers that the next requests are answered with."""
    refusal: str = "later"
    """What is said with them."""
    asked: list[str] = field(default_factory=list)
    """Methods and paths."""
    next_host: str | None = None
    """Where the next page is said to be, if that is not here."""
    _latest: int = 100

    def comment(self, number: int, body: str, login: str | None = BOT) -> int:
        """Add a comment of *login*; its id."""
        self._latest += 1
        user = None if login is None else {"login": login}
        made = {
            "id": self._latest,
            "body": body,
            "user": user,
            "html_url": f"http://c/{self._latest}",
        }
        self.comments.setdefault(number, []).append(made)
        return self._latest

    def bodies(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.comments.get(number, [])]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON for a request below the repository; lists are not cut into pages yet."""
        parts = urlsplit(path)
        if found := re.fullmatch(r"issues/(\d+)/comments", parts.path):
            return self._of_pull(method, int(found[1]), body)
        if found := re.fullmatch(r"issues/comments/(\d+)", parts.path):
            return self._of_comment(method, int(found[1]), body)
        if parts.path == "pulls" and method == "GET":
            head = parse_qs(parts.query)["head"][0]
            return 200, [pull for pull in self.pulls if pull["head"]["label"] == head]
        return 404, {"message": "Not Found"}

    def _of_pull(self, method: str, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET":
            return 200, self.comments.get(number, [])
        if not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        if len(body["body"]) > LIMIT:
            return 422, {"message": "Body is too long (maximum is 65536 characters)"}
        self.comment(number, body["body"], self.writer)
        return 201, self.comments[number][-1]

    def _of_comment(self, method: str, identity: int, body: dict[str, Any]) -> tuple[int, Any]:
        if not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        for comments in self.comments.values():
            for comment in comments:
                if comment["id"] == identity:
                    if method == "DELETE":
                        comments.remove(comment)
                        return 204, None
                    comment["body"] = body["body"]
                    return 200, comment
        return 404, {"message": "Not Found"}


@contextmanager
def github_double() -> Iterator[GitHubDouble]:
    """The server, on a port of its own, while the context lasts."""
    double = GitHubDouble()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            _serve(self, double)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - as the library calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _serve(request: BaseHTTPRequestHandler, double: GitHubDouble) -> None:
    length = int(request.headers.get("Content-Length", 0))
    body = json.loads(request.rfile.read(length) or b"{}")
    double.asked.append(f"{request.command} {request.path}")
    headers: dict[str, str] = {}
    if double.refusals:
        status, headers = double.refusals.pop(0)
        told: Any = {"message": double.refusal}
    elif request.headers.get("Authorization") != f"Bearer {TOKEN}":
        status, told = 401, {"message": "Bad credentials"}
    else:
        path = request.path.removeprefix(f"/repos/{REPOSITORY}/")
        status, told = double.answer(request.command, path, body)
        if isinstance(told, list):
            told, headers = _page(told, request.path, double)
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    content = b"" if told is None else json.dumps(told).encode()
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def _page(found: list[Any], path: str, double: GitHubDouble) -> tuple[list[Any], dict[str, str]]:
    parts = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    number = int(query.get("page", "1"))
    items = found[(number - 1) * double.page_size : number * double.page_size]
    if number * double.page_size >= len(found):
        return items, {}
    query["page"] = str(number + 1)
    further = "&".join(f"{name}={value}" for name, value in query.items())
    address = f"{double.next_host or double.url}{parts.path}?{further}"
    return items, {"Link": f'<{address}>; rel="next", <{double.url}{parts.path}>; rel="last"'}
