"""The option that asks for an HTML report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError
from pytest_llem.paths import is_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTION = "--llem-html"


def add_html_option(add: Callable[..., None]) -> None:
    """Register the option with pytest's ``addoption``."""
    add(OPTION, metavar="PATH", help="write the run as one HTML file that opens without a network")


def report_path(path: Path | None) -> Path | None:
    """*path*, unless a report cannot be there; ``None`` if none is asked for.

    Raises:
        ConfigError: it is a directory.
    """
    if path is not None and is_folder(path):
        raise ConfigError(f"{path} is a directory. Name a file: {OPTION}={path / 'report.html'}")
    return path
