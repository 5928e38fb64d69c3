"""Options about what a run leaves behind; imported by every pytest, so it imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


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


def not_written(config: pytest.Config) -> str | None:
    """What to say where no experiment ran, so that nobody takes files of before for this run's."""
    option = config.option
    if option.collectonly or option.llem_dry_run:
        return None
    asked = [*option.llem_export, option.llem_markdown, option.llem_html]
    files = ", ".join(one for one in asked if one is not None)
    return f"llem: no experiment ran, so nothing was written to {files}" if files else None
