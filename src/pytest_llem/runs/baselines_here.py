"""Baselines as people look after them: list, compare, accept, prune."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.catalogue import SHOWN, catalogue, changes
from pytest_llem.baselines.elsewhere import source_named
from pytest_llem.baselines.metrics import metric_named
from pytest_llem.baselines.pruning import Pruning
from pytest_llem.baselines.store import Baselines, BaselineStore, How
from pytest_llem.config.gates import read_baseline_table
from pytest_llem.runs.accepting import accept_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.catalogue import Catalogued, Changed
    from pytest_llem.baselines.store import Update

HERE = Path("baselines")


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning did, or would do."""

    said: tuple[str, ...]
    """One line an experiment."""
    changed: tuple[Path, ...]
    """Files that were written; none if it was only asked."""


def open_baselines(source: str | None = None, directory: Path = HERE) -> Baselines:
    """The baselines of *directory*, or those of another place.

    Args:
        source: directory, file, git ref or ``REF:DIRECTORY``; ``None`` is *directory*.
        directory: where this project's baselines live; those of a ref lie at the same place.

    Raises:
        BaselineError: there is no such source.
    """
    if source is None:
        return BaselineStore(directory)
    return Baselines(source_named(source, Path.cwd(), Path.cwd() / directory))


def list_baselines(
    pattern: str | None = None,
    *,
    hardware: str | None = None,
    source: str | None = None,
    directory: Path = HERE,
) -> list[Catalogued]:
    """Every experiment that has a baseline, in order.

    Args:
        pattern: glob of node ids, functions or files, or an identity; ``None`` is all.
        hardware: glob of hardware classes; ``None`` is all.
        source: as :func:`open_baselines` takes it.
        directory: likewise.

    Raises:
        BaselineError: a file cannot be read.
    """
    return catalogue(open_baselines(source, directory), pattern, hardware)


def diff_baselines(
    before: str = "HEAD",
    now: str | None = None,
    *,
    metrics: Sequence[str] = (),
    directory: Path = HERE,
) -> list[Changed]:
    """Experiments whose baselines differ between two sources; *now* is *directory* by default.

    Raises:
        ConfigError: there is no such metric.
        BaselineError: a source is not there, or cannot be read.
    """
    names = [metric_named(name).name for name in metrics] or SHOWN
    old, new = (catalogue(open_baselines(side, directory)) for side in (before, now))
    return changes(old, new, names)


def accept_baselines(
    run: Path | str,
    reason: str,
    *,
    pattern: str | None = None,
    extend: bool = False,
    directory: Path = HERE,
) -> Update:
    """Make a stored run's results the baselines, as many sessions kept as the project says.

    Args:
        run: its directory, its id, or how only its id begins.
        reason: what changed, and why that is right; it is kept.
        pattern: glob of the experiments to accept; ``None`` is all.
        extend: whether they are a further session of what is there, not a new beginning.
        directory: where baselines live.

    Raises:
        ConfigError: there is no reason, or no such run.
        StoreError: the run cannot be read.
        BaselineError: nothing of it is what was asked for, or a file cannot be written.
    """
    sessions = read_baseline_table(Path.cwd()).sessions
    how = How("extend" if extend else "accept", reason, sessions, extends=extend)
    return accept_run(run, directory, how, pattern)


def prune_baselines(
    *,
    sessions: int | None = None,
    history: bool = False,
    remove: str | None = None,
    dry_run: bool = False,
    directory: Path = HERE,
) -> Pruned:
    """Shorten what baselines keep of the past, or remove experiments.

    Args:
        sessions: how many are kept of each; ``None`` is what the project configures.
        history: whether sessions go that nothing is compared with any more.
        remove: glob of experiments to remove altogether.
        dry_run: change nothing.
        directory: where baselines live.

    Raises:
        BaselineError: a file is damaged, then nothing is written; or cannot be written.
    """
    kept = sessions or read_baseline_table(Path.cwd()).sessions
    pruning = Pruning(kept, history=history, remove=remove)
    store = BaselineStore(directory)
    changed = pruning.preview(store) if dry_run else store.rewrite(pruning)
    return Pruned(tuple(pruning.said), tuple(changed))
