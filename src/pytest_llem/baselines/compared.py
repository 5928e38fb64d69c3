"""The samples that verdicts were given by, kept beside them: baselines go on to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_llem.results.load import load_document
from pytest_llem.results.schema import Stored
from pytest_llem.results.store import write_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.file import Entry
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.store import RunStore

COMPARED = "compared.json"
COMPARED_VERSION = 1


class ComparedSession(Stored):
    """One session of a baseline, as far as it was compared with."""

    run_id: str
    started_at: str
    """Wall-clock start, ISO 8601 with offset: a label."""
    processes: tuple[tuple[float, ...], ...]
    """The metric in its unit: one value a window, or a single one, of each process."""


class ComparedMetric(Stored):
    """One metric of one measurement on the baseline's side."""

    measurement: str
    metric: str
    sessions: tuple[ComparedSession, ...]


class Compared(Stored):
    """What the experiments of a run were compared with."""

    schema_version: Literal[1] = 1
    baselines: dict[str, tuple[ComparedMetric, ...]]
    """By the name of the experiment's result, as in the verdicts."""


def compared_metrics(entry: Entry, judgements: Sequence[Judgement]) -> Iterator[ComparedMetric]:
    """The samples of *entry*, a baseline, that *judgements* are about; none for limits."""
    for judgement in judgements:
        if judgement.is_limit or judgement.change is None:
            continue
        sessions = tuple(
            ComparedSession(
                run_id=session.run_id,
                started_at=session.started_at,
                processes=tuple(one.values for one in samples),
            )
            for session in entry.current
            if (samples := session.samples(judgement.measurement, judgement.metric))
        )
        if sessions:
            yield ComparedMetric(
                measurement=judgement.measurement, metric=judgement.metric, sessions=sessions
            )


def keep_compared(store: RunStore, compared: Compared) -> None:
    """Write *compared* into the run's directory.

    Raises:
        StoreError: it cannot be written.
    """
    write_document(store.path / COMPARED, compared)


def kept_compared(store: RunStore) -> Compared | None:
    """What is in the run's directory; ``None`` if nothing was compared, or by a version of before.

    Raises:
        StoreError: it cannot be read.
    """
    path = store.path / COMPARED
    if not path.exists():
        return None
    return load_document(path, Compared, "baselines of a run's verdicts", COMPARED_VERSION)
