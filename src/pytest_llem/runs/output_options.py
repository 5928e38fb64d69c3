"""Options about what a run leaves behind; imported by every pytest, so it imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_output_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-export",
        action="append",
        default=[],
        metavar="NAME:PATH",
        help="write the run's results in another format, too (csv:results.csv)",
    )
    add(
        "--llem-cost",
        action="store_true",
        help="say what the run took: time, energy, money, carbon",
    )
    add("--llem-log", metavar="PATH", help="append every transition of the run as JSON lines")
    add("--llem-dir", metavar="DIR", help="where runs are kept (default: ROOT/.llem)")
