"""What stored runs took, with the prices that hold here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.pooling import key_of
from pytest_llem.config.cost import declared_tariff
from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import LlemError
from pytest_llem.results.cost import Process, cost_report
from pytest_llem.results.raw import DAMAGE
from pytest_llem.runs.kept_runs import HERE, open_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from pytest_llem.config.cost import Declared
    from pytest_llem.energy.spent import Spent
    from pytest_llem.results.cost import CostReport
    from pytest_llem.results.store import RunStore


def cost_of_runs(
    runs: Sequence[str] = (),
    root: Path = HERE,
    declared: Mapping[str, Any] | None = None,
    project: Path | None = None,
) -> CostReport:
    """What every experiment of *runs* took: time, energy, tokens, and with prices, money and carbon.

    Args:
        runs: each as :func:`~pytest_llem.runs.kept_runs.open_run` takes it; none is the latest.
        root: where runs are kept.
        declared: fields of :class:`~pytest_llem.config.cost.Tariff`, which win over the files'.
        project: directory of ``pyproject.toml``; by default the current one.

    Raises:
        ConfigError: there is no such run, or what was declared cannot be.
        StoreError: a run cannot be read.
    """
    tariff = declared_tariff(project or Path.cwd(), os.environ, declared)
    stores = [open_run(run, root) for run in runs] or [open_run(None, root)]
    return cost_of({store.path.resolve(): store for store in stores}.values(), tariff)


def cost_of(stores: Iterable[RunStore], declared: Declared) -> CostReport:
    """The same of runs that are at hand.

    Raises:
        StoreError: one cannot be read.
    """
    return cost_report([one for store in stores for one in _experiments(store)], declared)


def _experiments(store: RunStore) -> Iterator[list[Process]]:
    """The processes of each experiment, every try of a test that ran again among them."""
    found: dict[tuple[str, str | None], list[Process]] = {}
    for entry in store.entries():
        process = Process(entry.result, entry.result.spent or _spent(store, entry.name))
        found.setdefault(key_of(entry.result), []).append(process)
    yield from sorted(found.values(), key=lambda processes: processes[0].result.started_at)


def _spent(store: RunStore, name: str) -> Spent | None:
    """By the raw data of a result that was stored without it."""
    try:
        return spent_of(store.traces_of(name))
    except (LlemError, *DAMAGE):
        return None
