"""Which run is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, StoreError
from pytest_llem.paths import is_folder
from pytest_llem.results.journal import JOURNAL, in_use, is_in_use
from pytest_llem.results.root import RUNS, run_directories
from pytest_llem.results.store import RunStore
from pytest_llem.runs.resuming.options import LATEST

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 3


def run_to_resume(root: Path, asked: str, here: Path) -> RunStore:
    """The run in *root* (``.llem``) that *asked* means; see :func:`run_named`.

    ``latest`` is the latest one that did not end and that nobody goes on with.

    Raises:
        ConfigError: there is none, or it is not clear which.
        StoreError: it is in use, or cannot be read.
    """
    store = _latest_unfinished(root) if asked == LATEST else run_named(root, asked, here)
    if is_in_use(store.path / JOURNAL):
        raise StoreError(in_use(store.path / JOURNAL))
    return store


def run_named(root: Path, asked: str, here: Path) -> RunStore:
    """The run that *asked* names: its directory, its id, or how only its id begins.

    Raises:
        ConfigError: there is none, or there are several.
        StoreError: it cannot be read.
    """
    for path in (here / asked, root / RUNS / asked):
        if asked and is_folder(path):
            return RunStore.open(path)
    runs = run_directories(root)
    found = [path for path in runs if asked and path.name.startswith(asked)]
    if len(found) == 1:
        return RunStore.open(found[0])
    if found:
        names = ", ".join(path.name for path in found[:_SHOWN])
        raise ConfigError(f"{asked!r} is how {len(found)} runs begin: {names}. Give one in full.")
    latest = f"the latest is {runs[-1].name}" if runs else "there are none"
    raise ConfigError(
        f"{asked!r} is no run: neither a directory of one nor its id in {root / RUNS} ({latest}). "
        "llem runs list shows them; an option that takes a run is written OPTION=RUN."
    )


def latest_run(root: Path) -> RunStore:
    """The run that was begun last.

    Raises:
        ConfigError: there is none.
        StoreError: *root* cannot be read.
    """
    runs = run_directories(root)
    if not runs:
        raise ConfigError(f"there are no runs in {root / RUNS}. Run some experiments first.")
    return RunStore.open(runs[-1])


def _latest_unfinished(root: Path) -> RunStore:
    passed_over = []
    runs = run_directories(root)
    for path in reversed(runs):
        try:
            store = RunStore.open(path)
            if store.manifest().state == "finished":
                continue
        except StoreError as error:
            passed_over.append(str(error))
            continue
        if not is_in_use(path / JOURNAL):
            return store
        passed_over.append(in_use(path / JOURNAL))
    if passed_over:
        said = " ".join(passed_over[:_SHOWN])
        raise ConfigError(f"there is no run to resume in {root / RUNS}. Passed over: {said}")
    ended = f"all {len(runs)} have ended" if runs else "there are none"
    raise ConfigError(
        f"there is no run to resume in {root / RUNS}: {ended}. Leave --llem-resume out, or name a "
        "run that is to get more processes: --llem-resume=RUN --llem-repeats=K."
    )
