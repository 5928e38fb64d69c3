"""A run as a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.markdown import parts
from pytest_llem.reports.markdown.pages import page, size

if TYPE_CHECKING:
    from pytest_llem.reports.markdown.told import ToldRun

LIMIT = 65_536
"""Characters of a comment on GitHub, as it says when one has more."""
MARKER = "<!-- pytest-llem -->"
"""First line of the comment, by which the next one finds it. With a key it is
``<!-- pytest-llem: KEY -->``, which is what posts it to say (``comment/post.py``)."""
_KEY_BYTES = 200


def comment_text(told: ToldRun, limit: int = LIMIT) -> str:
    """The comment, in at most *limit* characters: verdicts, where from, the table, why.

    There is room in it for a key in the marker.
    """
    blocks = [
        parts.title(told, 3),
        *parts.link_to_job(told),
        *parts.remarks(told),
        *parts.to_look_at(told),
        *parts.reasons(told),
        *parts.others(told),
        *parts.how_to_reproduce(told),
    ]
    marker = f"{MARKER}\n"
    return marker + page(blocks, limit - size(marker) - _KEY_BYTES)
