"""Taking a run up again: its manifest says so, and what killed processes left half is tidied."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_llem._version import __version__
from pytest_llem.results.manifest import Resumption, fingerprint_of
from pytest_llem.results.names import timestamp, utc_now
from pytest_llem.results.store import write_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pytest_llem.results.manifest import Drift, Manifest, PlannedExperiment
    from pytest_llem.results.store import RunStore

MANIFEST = "manifest.json"
LEFTOVERS = (".*.claim", ".*.tmp")


def reopen(  # noqa: PLR0913 - the clock can be given, so that tests need not wait
    store: RunStore,
    command: Sequence[str],
    *,
    session: str,
    planned: Sequence[PlannedExperiment],
    repeats: int,
    drift: Sequence[Drift] = (),
    now: Callable[[], datetime] = utc_now,
) -> Manifest:
    """Write into the manifest that the run goes on; nobody else may take part meanwhile.

    Args:
        store: the run.
        command: the command line that takes it up again.
        session: what the workers that take it up together have in common.
        planned: what it sets out to do now; what it had planned before stays planned.
        repeats: processes per experiment; never fewer than before.
        drift: what has changed since, and was accepted.
        now: the wall clock.

    Raises:
        StoreError: the manifest cannot be read or written.
    """
    manifest = store.manifest()
    again = Resumption(
        at=timestamp(now()),
        command=tuple(command),
        tool_version=__version__,
        session=session,
        drift=tuple(drift),
    )
    whole = _merged(manifest.planned, planned)
    manifest = manifest.model_copy(
        update={
            "state": "running",
            "finished_at": None,
            "counts": None,
            "unreadable": None,
            "verdicts": None,
            "planned": whole,
            "repeats": max(repeats, manifest.repeats),
            "resumptions": (*manifest.resumptions, again),
            "fingerprint": fingerprint_of(whole, manifest.settings, manifest.sources),
        }
    )
    write_document(store.path / MANIFEST, manifest)
    _tidy(store)
    return manifest


def _merged(
    then: Sequence[PlannedExperiment], now: Sequence[PlannedExperiment]
) -> tuple[PlannedExperiment, ...]:
    """The plan of *then* with what is planned *now* in the place of what it replaces, or behind."""
    fresh = {one.node_id or one.experiment_id: one for one in now}
    kept = [fresh.pop(one.node_id or one.experiment_id, one) for one in then]
    of_before = {one.experiment_id for one in then if one.node_id is None}
    return (*kept, *(one for one in fresh.values() if one.experiment_id not in of_before))


def _tidy(store: RunStore) -> None:
    """Remove hidden files that killed processes left; what cannot be removed does no harm."""
    for pattern in LEFTOVERS:
        with suppress(OSError):
            for path in [*store.path.glob(pattern), *store.path.glob(f"*/{pattern}")]:
                path.unlink()
