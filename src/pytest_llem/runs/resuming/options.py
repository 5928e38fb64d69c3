"""The options that take a run up again; imported by every pytest, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LATEST = "latest"


def add_resume_options(group: pytest.OptionGroup) -> None:
    """Add ``--llem-resume`` and ``--llem-resume-anyway``."""
    group.addoption(
        "--llem-resume",
        nargs="?",
        const=LATEST,
        metavar="RUN",
        help="go on with a run that was killed or interrupted: what has finished is reported again "
        "and not measured again; by default the latest one that did not end",
    )
    group.addoption(
        "--llem-resume-anyway",
        action="store_true",
        help="resume also where configuration or environment are not what the run began with",
    )
