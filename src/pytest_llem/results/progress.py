"""How far a run has come with what it planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import StoreError
from pytest_llem.results.files import listed
from pytest_llem.results.journal import JOURNAL
from pytest_llem.results.root import RESULTS
from pytest_llem.results.transitions import read_journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.results.manifest import Manifest
    from pytest_llem.results.store import RunStore
    from pytest_llem.results.transitions import Transition


@dataclass(frozen=True, slots=True)
class Progress:
    """Experiments of a run."""

    done: int
    """Of which every process has ended."""
    planned: int
    unfinished: tuple[str, ...] = ()
    """Names of the others, in the order of the plan; none where there is no journal to tell them."""

    @property
    def complete(self) -> bool:
        return self.done >= self.planned


def progress_of(store: RunStore, manifest: Manifest) -> Progress:
    """How far the run has come, by its journal; by the names of its results where it has none.

    Raises:
        StoreError: what it has cannot be read.
    """
    try:
        transitions = read_journal(store.path / JOURNAL).latest.values()
    except StoreError:
        transitions = ()  # type: ignore[assignment]
    if not transitions:
        names = {path.stem.partition("@")[0] for path in listed(store.path / RESULTS, ".json")}
        return Progress(min(len(names), len(manifest.planned)), len(manifest.planned))
    ended = _ended(transitions, manifest)
    ids = {experiment_id for experiment_id, _ in ended}
    unfinished = [
        one.node_id or one.experiment_id
        for one in manifest.planned
        if (one.experiment_id, one.node_id) not in ended
        and not (one.fingerprint is None and one.experiment_id in ids)  # of a run of before
    ]
    planned = len(manifest.planned)
    return Progress(planned - len(unfinished), planned, tuple(unfinished))


def _ended(
    transitions: Iterable[Transition], manifest: Manifest
) -> set[tuple[str | None, str | None]]:
    """Experiments of which enough processes ended; one that was skipped has no more of them."""
    asked = manifest.processes()
    counts: dict[tuple[str | None, str | None], int] = {}
    for one in transitions:
        if one.state == "finished":
            last = one.outcome == "skipped" or one.result is None
            key = (one.experiment_id, one.node_id)
            counts[key] = counts.get(key, 0) + (_all_of(asked, manifest, key) if last else 1)
    return {key for key, count in counts.items() if count >= _all_of(asked, manifest, key)}


def _all_of(
    asked: Mapping[str, int], manifest: Manifest, key: tuple[str | None, str | None]
) -> int:
    return asked.get(key[0] or "", manifest.repeats)
