"""The terminal report of a run that is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.kept import kept_verdicts
from pytest_llem.baselines.pooling import as_planned, by_experiment, key_of, pooled_result
from pytest_llem.errors import StoreError
from pytest_llem.reports.arrangement import USUAL, Arrangement
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.reports.runs import head_lines, unfinished_text
from pytest_llem.reports.terminal import summary_lines
from pytest_llem.results.listing import stored_run
from pytest_llem.runs.doctor.kept import disturbances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.kept import Verdicts
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.listing import StoredRun
    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore


@dataclass(frozen=True, slots=True)
class Look:
    """How a terminal shows things; see :func:`~pytest_llem.reports.terminal.summary_lines`."""

    width: int
    colour: bool
    unicode: bool
    verbosity: int = 0
    arrangement: Arrangement = USUAL


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """An experiment of a stored run, and where its processes' results are."""

    row: SummaryRow
    names: tuple[str, ...]
    """Of their files, in the order of the processes."""


@dataclass(frozen=True, slots=True)
class StoredRows:
    """What a stored run has to show."""

    shown: tuple[ShownExperiment, ...]
    strict: bool
    """Whether verdicts that tell nothing failed it."""


def stored_rows(store: RunStore, manifest: Manifest, problems: list[str]) -> StoredRows:
    """The experiments of a run, in the order of its plan.

    What never was reported has no verdict. What is wrong with verdicts and results is added to
    *problems*.

    Raises:
        StoreError: its results cannot be read.
    """
    verdicts = _verdicts(store, problems)
    read, unreadable = store.read()
    problems += map(str, unreadable)
    entries = {entry.name: entry.result for entry in read}
    names = {id(result): name for name, result in entries.items()}
    found = _rows(entries, by_experiment(entries.values()), verdicts, manifest.repeats)
    rows = as_planned(found, manifest, lambda row: row.result)
    return StoredRows(
        tuple(ShownExperiment(row, tuple(names[id(one)] for one in row.processes)) for row in rows),
        strict=verdicts is not None and verdicts.strict,
    )


def shown_run(store: RunStore, look: Look) -> list[str]:
    """What pytest said of the run at its end, as lines; of an interrupted one what there is.

    Raises:
        StoreError: its manifest or its results cannot be read.
    """
    problems: list[str] = []
    manifest, run = store.manifest(), stored_run(store.path)
    environment = kept_environment(store, problems)
    rows = stored_rows(store, manifest, problems)
    problems += unfinished_of(run)
    return [
        *head_lines(run, manifest, environment),
        "",
        *summary_lines(
            [one.row for one in rows.shown],
            width=look.width,
            colour=look.colour,
            unicode=look.unicode,
            verbosity=look.verbosity,
            strict=rows.strict,
            arrangement=look.arrangement,
            disturbances=disturbances(environment) if environment else (),
        ),
        *(f"llem: {problem}" for problem in problems),
        f"results: {store.path}",
    ]


def unfinished_of(run: StoredRun) -> list[str]:
    """What a run that was cut short planned and has not got."""
    if run.condition != "interrupted" or run.done is None or run.planned is None:
        return []
    return list(filter(None, [unfinished_text(run.done, run.planned, run.unfinished)]))


def _rows(
    entries: dict[str, ExperimentResult],
    processes: dict[tuple[str, str | None], list[ExperimentResult]],
    verdicts: Verdicts | None,
    repeats: int,
) -> Iterator[SummaryRow]:
    """Those that were reported, then all else, without a verdict."""
    left = dict(processes)
    for one in verdicts.experiments if verdicts is not None else ():
        result = entries.get(one.result)
        if result is not None:
            results = left.pop(key_of(result), [result])
            yield SummaryRow(pooled_result(results), one.judgements, results, one.planned)
    for results in sorted(left.values(), key=_began):
        yield SummaryRow(pooled_result(results), (), results, repeats)


def _began(results: Sequence[ExperimentResult]) -> str:
    return results[0].started_at


def _verdicts(store: RunStore, problems: list[str]) -> Verdicts | None:
    try:
        return kept_verdicts(store)
    except StoreError as error:
        problems.append(str(error))
        return None


def kept_environment(store: RunStore, problems: list[str]) -> Environment | None:
    """The run's environment; ``None``, with the reason among *problems*, if it cannot be read."""
    try:
        return store.environment()
    except StoreError as error:
        problems.append(str(error))
        return None
