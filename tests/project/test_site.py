"""The documentation site has every document, and loads nothing from elsewhere."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ELSEWHERE = {
    "index.md": "README.md",
    "bench.md": "bench/README.md",
    "example-onnx.md": "examples/pytest-llem-onnx/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
"""Pages that scripts/site_hooks.py makes of documents at other places."""


class Loader(yaml.SafeLoader):
    """Passes over what only mkdocs can make."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


@pytest.fixture
def site(checkout: Path) -> dict[str, Any]:
    return dict(yaml.load((checkout / "mkdocs.yml").read_text(), Loader))  # noqa: S506 - a SafeLoader


def pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from pages(one)


def test_every_document_has_a_place_in_the_navigation(checkout: Path, site: dict[str, Any]) -> None:
    there = {path.name for path in (checkout / "docs").glob("*.md")} | set(ELSEWHERE)
    assert sorted(pages(site["nav"])) == sorted(there), "mkdocs.yml: nav"
    assert all((checkout / source).is_file() for source in ELSEWHERE.values())


def test_no_font_is_fetched_and_a_strict_build_looks_at_links(site: dict[str, Any]) -> None:
    assert site["theme"]["font"] is False
    assert set(site["validation"]["links"].values()) == {"warn"}
    assert set(site["validation"]["nav"].values()) == {"warn"}


def test_what_a_page_would_load_from_another_host_is_found(
    tmp_path: Path, script: Callable[[str], Any]
) -> None:
    (tmp_path / "good.html").write_text(
        '<a href="https://pytest.org">x</a><script src="assets/a.js"></script>'
    )
    (tmp_path / "good.css").write_text("b { background: url(a.png) }")
    foreign = script("scripts/site_loads.py").foreign
    assert foreign(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<script src="https://a.example/x.js"></script><link rel="stylesheet" href="//b.example/y">'
    )
    (tmp_path / "bad.css").write_text("@import 'https://c.example/z.css';")
    assert foreign(tmp_path) == [
        "bad.html: https://a.example/x.js",
        "bad.html: //b.example/y",
        "bad.css: https://c.example/z.css",
    ]


def test_the_citation_names_the_version(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((checkout / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_the_templates_for_issues_are_forms(checkout: Path) -> None:
    forms = sorted((checkout / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    for form in [one for one in forms if one.name != "config.yml"]:
        told = yaml.safe_load(form.read_text())
        assert {"name", "description", "body"} <= set(told)
        kinds = {"markdown", "input", "textarea", "dropdown"}
        assert {one["type"] for one in told["body"]} <= kinds
        asked = [one for one in told["body"] if one["type"] != "markdown"]
        assert len({one["id"] for one in asked}) == len(asked)
        assert all(one["attributes"]["label"] for one in asked)
