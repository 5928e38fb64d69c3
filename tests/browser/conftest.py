"""Reports in a real browser, which says whatever it did not like about them."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from instruments.stored_run import HOSTILE, stored_run
from pytest_llem.runs.html import write_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_llem.results.store import RunStore

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def give_up(reason: str) -> None:
    """Skip, but not on CI: there the tests have to run."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI has to look")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        give_up("Playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        give_up("there is no Chromium (scripts/need-chromium.sh installs it)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Looking:
    """A page on a report, and what the browser said of it."""

    def __init__(self, browser: Any, report: Path, **context: Any) -> None:
        self.address = report.as_uri()
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation',"
            "(e) => window.violations.push(`${e.violatedDirective} ${e.sample}`))"
        )

    def open(self, address: str = "", **state: str) -> Any:
        """The page, looked at as *state* says; of another *address* if one is given."""
        self.page.goto("about:blank")
        self.page.goto(f"{address or self.address}#{urlencode(state)}")
        self.page.wait_for_function("document.documentElement.dataset.ready === 'true'")
        if "open" in state:
            self.opened(state["open"])
        else:
            self.complete()
        return self.page

    def opened(self, key: str) -> None:
        """Wait until an experiment is shown."""
        self.page.wait_for_function(
            "(key) => document.querySelector('[data-view=experiment]').dataset.ready === key",
            arg=key,
        )

    def complete(self) -> None:
        """Wait until all rows are there."""
        self.page.wait_for_function(
            "() => document.querySelector('[data-view=experiments]').hidden ||"
            " document.querySelector('.experiments tbody').dataset.complete === 'true'"
        )

    def order(self) -> list[str]:
        """The experiments in the table, from top to bottom."""
        found: list[str] = self.page.eval_on_selector_all(
            ".experiments tbody tr[data-key]", "rows => rows.map(row => row.dataset.key)"
        )
        return found

    def close(self) -> None:
        """Nothing may have been said, and no policy broken."""
        violations = self.page.evaluate("window.violations || []")
        self.context.close()
        assert self.said == []
        assert violations == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    """A run of sixty experiments on three kinds of hardware, some with names to trip over."""
    root = tmp_path_factory.mktemp("run") / ".llem"
    return stored_run(root, 60, processes=2, readings=600, labels=HOSTILE)


@pytest.fixture(scope="module")
def report(store: RunStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_html(store, path)
    return path


@pytest.fixture(scope="module")
def data(report: Path) -> dict[str, Any]:
    """What the page was given."""
    match = DATA.search(report.read_text(encoding="utf-8"))
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


@pytest.fixture
def look(browser: Any, report: Path) -> Iterator[Callable[..., Looking]]:
    """Opens the report; at the end the browser must have had nothing to say."""
    opened: list[Looking] = []

    def look(path: Path = report, **context: Any) -> Looking:
        opened.append(Looking(browser, path, **context))
        return opened[-1]

    yield look
    for one in opened:
        one.close()


@pytest.fixture
def looking(look: Callable[..., Looking]) -> Looking:
    """A page on the report."""
    return look()
