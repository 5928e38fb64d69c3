"""The verdicts of a run, kept beside its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pytest_llem.baselines.verdict import Judgement
from pytest_llem.results.load import load_document
from pytest_llem.results.schema import Stored
from pytest_llem.results.store import write_document

if TYPE_CHECKING:
    from pytest_llem.results.store import RunStore

VERDICTS = "verdicts.json"
VERDICTS_VERSION = 1


class JudgedExperiment(Stored):
    """An experiment as it was reported."""

    result: str
    """Name of the latest of its results' files, without suffix."""
    planned: int = Field(default=1, ge=1)
    """How many processes it was to have."""
    gates: tuple[str, ...] = ()
    """Its rules, as texts."""
    judgements: tuple[Judgement, ...] = ()


class Verdicts(Stored):
    """What a session of a run said of its experiments; the latest one's, where a run was resumed."""

    schema_version: Literal[1] = 1
    strict: bool = False
    """Whether what could not be told failed, too."""
    experiments: tuple[JudgedExperiment, ...]
    """In the order of the plan."""


def keep_verdicts(store: RunStore, verdicts: Verdicts) -> None:
    """Write *verdicts* into the run's directory.

    Raises:
        StoreError: they cannot be written.
    """
    write_document(store.path / VERDICTS, verdicts)


def kept_verdicts(store: RunStore) -> Verdicts | None:
    """The verdicts in the run's directory; ``None`` if the run has not ended.

    Raises:
        StoreError: they cannot be read.
    """
    path = store.path / VERDICTS
    if not path.exists() and store.path.is_dir():
        return None
    return load_document(path, Verdicts, "verdicts of a run", VERDICTS_VERSION)
