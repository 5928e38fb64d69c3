"""The styles and scripts of the page: files of this package, in the order they are put together."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

STYLES = ("colours.css", "layout.css", "table.css", "detail.css", "charts.css", "print.css")
SCRIPTS = (
    "dom.js",
    "packing.js",
    "numbers.js",
    "state.js",
    "theme.js",
    "charts.js",
    "summary.js",
    "order.js",
    "filter.js",
    "choosing.js",
    "table.js",
    "timeline.js",
    "samples.js",
    "detail.js",
    "pareto.js",
    "environment.js",
    "views.js",
    "main.js",
)
"""Each a concept. They share one function's scope, so that the page has no global of its own."""


@cache
def style() -> str:
    """All styles: those of uPlot, then ours."""
    return "\n".join(
        [_text("vendor/uplot/uPlot.min.css"), *(_text(f"page/{one}") for one in STYLES)]
    )


@cache
def script() -> str:
    """Our scripts, as one."""
    parts = "\n".join(_text(f"page/{one}") for one in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


@cache
def chart_library() -> str:
    """uPlot, as it was published."""
    return _text("vendor/uplot/uPlot.iife.min.js")


@cache
def skeleton() -> str:
    """The page without anything in it."""
    return _text("page/page.html")


def digest(text: str) -> str:
    """How a content-security policy names an inline *text* that may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
