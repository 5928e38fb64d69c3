"""The directory that holds all runs: ``.llem``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.results.files import explained, replaced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS = "runs"
RESULTS = "results"
"""Directory of a run's results."""
_IGNORE = ".gitignore"
_EVERYTHING = b"# Made by pytest-llem.\n*\n"


def new_run_directory(root: Path, name_run: Callable[[], str]) -> Path:
    """A new directory in *root* for one run; *name_run* is asked again while its name is taken.

    Raises:
        StoreError: it could not be made.
    """
    runs = root / RUNS
    with explained("create", runs):
        runs.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(root)
    while True:
        path = runs / name_run()
        if make_run_directory(path):
            return path


def make_run_directory(path: Path) -> bool:
    """Make a directory for results and raw data; whether it was not there before.

    Raises:
        StoreError: it could not be made.
    """
    with explained("create", path):
        try:
            path.mkdir()
        except FileExistsError:
            return False
        (path / RESULTS).mkdir()
        (path / "raw").mkdir()
        return True


def _keep_out_of_git(root: Path) -> None:
    # A directory that holds more than runs is the user's: only the runs in it are ignored.
    with explained("read", root):
        if (root / _IGNORE).exists():
            return
        own = all(entry.name == RUNS for entry in root.iterdir())
    ignore = (root if own else root / RUNS) / _IGNORE
    if not ignore.exists():
        with replaced(ignore) as file:
            file.write(_EVERYTHING)


def run_directories(root: Path) -> list[Path]:
    """The runs kept in *root*, oldest first; none if *root* does not exist.

    Raises:
        StoreError: *root* cannot be read.
    """
    runs = root / RUNS
    with explained("read", runs):
        if not runs.exists():
            return []
        return sorted(
            path for path in runs.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
