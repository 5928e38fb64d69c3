"""A run as a page of Markdown: what a job's summary shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.markdown import parts
from pytest_llem.reports.markdown.pages import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.reports.markdown.pages import Block
    from pytest_llem.reports.markdown.told import ToldRun

LIMIT_BYTES = 1024 * 1024
"""Of a step's summary on GitHub (documentation, "Workflow commands", "Step isolation and
limits"); annotations of Buildkite have the same one."""


def summary_text(told: ToldRun, limit_bytes: int = LIMIT_BYTES) -> str:
    """The page, in at most *limit_bytes*: verdicts, the table, why, and how to reproduce it.

    Regressions come first. What does not fit is left out from the least important on, and is said
    to be.
    """
    return page([*_told(told, []), *parts.how_to_reproduce(told)], limit_bytes)


def compared_text(
    told: ToldRun, head: Sequence[str], said: Sequence[str], limit_bytes: int = LIMIT_BYTES
) -> str:
    """The same of two sides that were compared: *head* says of which, *said* what else there is."""
    return page([*_told(told, head), *parts.said(said)], limit_bytes)


def _told(told: ToldRun, head: Sequence[str]) -> list[Block]:
    return [
        parts.title(told, 2),
        *parts.said(head),
        *parts.remarks(told),
        *parts.to_look_at(told),
        *parts.reasons(told),
        *parts.others(told),
        *parts.further(told),
    ]
