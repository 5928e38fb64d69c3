"""The runs that are kept, by what people call them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.results.listing import stored_runs
from pytest_llem.runs.resuming.choosing import latest_run, run_named
from pytest_llem.runs.showing import Look, shown_run

if TYPE_CHECKING:
    from pytest_llem.results.listing import StoredRun
    from pytest_llem.results.store import RunStore

HERE = Path(".llem")


def open_run(run: str | None = None, root: Path = HERE) -> RunStore:
    """A stored run: its results, its raw data, its manifest, its environment.

    Args:
        run: its directory, its id, or how only its id begins; ``None`` is the latest.
        root: where runs are kept.

    Raises:
        ConfigError: there is none, or it is not clear which.
        StoreError: it cannot be read.
    """
    return latest_run(root) if run is None else run_named(root, run, Path.cwd())


def list_runs(root: Path = HERE, last: int | None = None) -> list[StoredRun]:
    """The runs in *root*, oldest first, or only the *last* so many.

    Raises:
        StoreError: *root* cannot be read.
    """
    return stored_runs(root, last)


def show_run(run: str | None = None, root: Path = HERE, look: Look | None = None) -> list[str]:
    """What pytest said of a run at its end, as lines; of an interrupted one what there is.

    Args:
        run: as :func:`open_run` takes it.
        root: likewise.
        look: how wide, in which characters and with how much detail.

    Raises:
        ConfigError, StoreError: as for :func:`open_run`.
    """
    return shown_run(open_run(run, root), look or Look(80, colour=False, unicode=True))
