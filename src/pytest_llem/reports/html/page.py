"""The page as a whole: markup, policy, styles, scripts and data in one text."""

from __future__ import annotations

import html
from string import Template
from typing import TYPE_CHECKING

from pytest_llem.reports.html.assets import chart_library, digest, script, skeleton, style
from pytest_llem.reports.html.content import content_of
from pytest_llem.reports.html.packing import data_block

if TYPE_CHECKING:
    from pytest_llem.reports.html.report import Report


def page_of(report: Report) -> str:
    """*report* as an HTML document that needs nothing else.

    Its policy lets it run its own scripts and nothing besides: what names of experiments hold is
    text wherever it is shown.
    """
    return Template(skeleton()).substitute(
        policy=policy(),
        title=html.escape(f"Run {report.run_id}"),
        style=style(),
        library=chart_library(),
        script=script(),
        data=data_block(content_of(report)),
    )


def policy() -> str:
    """The content-security policy of every report."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {digest(chart_library())} {digest(script())}",
            f"style-src {digest(style())}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
