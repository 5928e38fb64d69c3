"""Options about continuous integration; imported by every pytest, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal


def add_ci_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-markdown",
        metavar="PATH",
        help="write what came of the run as a page of Markdown; same as --llem-export=markdown:PATH",
    )
    add(
        "--llem-github",
        choices=["auto", "on", "off"],
        default="auto",
        help="add to the job's summary and annotate failures: where GitHub Actions runs this "
        "(auto, the default), anywhere (on: a summary needs GITHUB_STEP_SUMMARY), or never",
    )


def is_wanted(asked: Literal["auto", "on", "off"], variables: Mapping[str, str]) -> bool:
    """Whether GitHub Actions is to be told, here: *variables* are those of the environment."""
    return asked == "on" or (asked == "auto" and variables.get("GITHUB_ACTIONS") == "true")
