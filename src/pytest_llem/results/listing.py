"""The runs that are kept, and what is to be said of each in a line."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_llem.errors import StoreError
from pytest_llem.results.files import explained
from pytest_llem.results.journal import JOURNAL, is_in_use
from pytest_llem.results.progress import progress_of
from pytest_llem.results.root import RUNS, run_directories
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping

Condition = Literal["running", "finished", "interrupted", "damaged"]
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is on disk."""

    path: Path
    condition: Condition
    """``interrupted`` also if it was killed; ``damaged`` if its manifest cannot be read."""
    size_bytes: int
    started_at: str | None = None
    """Wall clock, ISO 8601 with offset; ``None`` if it is damaged."""
    done: int | None = None
    """Experiments of which every process has ended; ``None`` is unknown."""
    planned: int | None = None
    unfinished: tuple[str, ...] = ()
    """Names of those that are not done, where they are known."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Experiments by verdict; results by outcome where no verdicts were kept."""
    problem: str | None = None
    """What is wrong with it, and what to do."""

    @property
    def run_id(self) -> str:
        return self.path.name


def stored_runs(root: Path, last: int | None = None) -> list[StoredRun]:
    """The runs in *root* (``.llem``), oldest first, or only the *last* so many.

    Raises:
        StoreError: *root* cannot be read.
    """
    return [stored_run(path) for path in run_directories(root)[-(last or 0) :]]


def stored_run(path: Path) -> StoredRun:
    """The run at *path*; what cannot be read of it is told and not raised."""
    size = _size_bytes(path)
    try:
        store = RunStore.open(path)
        manifest = store.manifest()
        progress = progress_of(store, manifest)
    except StoreError as error:
        return StoredRun(path, "damaged", size, problem=str(error))
    condition: Condition = manifest.state
    if condition == "running" and not is_in_use(path / JOURNAL):
        condition = "interrupted"
    return StoredRun(
        path,
        condition,
        size,
        manifest.started_at,
        progress.done,
        progress.planned,
        progress.unfinished,
        manifest.verdicts or {str(word): count for word, count in (manifest.counts or {}).items()},
    )


def delete_run(path: Path) -> None:
    """Delete the run at *path* with all that it keeps, unless a process takes part in it.

    Raises:
        StoreError: it is in use, is no run in a directory of runs, or cannot be deleted.
    """
    if path.parent.name != RUNS or not (path / MANIFEST).is_file():
        raise StoreError(
            f"{path} is no run in a directory of runs ({RUNS}/ID/{MANIFEST}), so it is not deleted. "
            "Delete it by hand if it is to go."
        )
    journal = RunStore.open(path).journal()
    journal.have_alone()
    try:
        with explained("write", path):
            going = path.rename(path.with_name(f".{path.name}.deleted"))
            shutil.rmtree(going)
    finally:
        journal.let_go()


def _size_bytes(path: Path) -> int:
    """What the files below *path* hold; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += Path(folder, name).lstat().st_size
    return total
