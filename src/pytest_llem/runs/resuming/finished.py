"""What of a run has finished: the stored results, found by experiment and process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.results.store import Entry, RunStore
    from pytest_llem.results.transitions import Key


@dataclass(frozen=True, slots=True)
class Finished:
    """Processes of experiments that have a stored result that can be read."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong with results that cannot be read; their experiments run again."""

    def of(self, experiment_id: str, node_id: str | None, repeat: int) -> Entry | None:
        """The stored result of one process; ``None`` if it has not finished."""
        return self.entries.get((experiment_id, node_id, repeat))

    def count(self, experiment_id: str, node_id: str | None, repeats: int) -> int:
        """How many of an experiment's first *repeats* processes have finished, without a gap."""
        for repeat in range(repeats):
            entry = self.of(experiment_id, node_id, repeat)
            if entry is None:
                return repeat
            if entry.result.outcome == "skipped":  # and would be again
                return repeats
        return repeats


def finished_of(store: RunStore) -> Finished:
    """What has finished of the run; of what was stored twice, the latest.

    Raises:
        StoreError: the results' directory cannot be read.
    """
    entries: dict[Key, Entry] = {}
    for entry in store.entries():
        result = entry.result
        key = (result.experiment_id, result.node_id, result.repeat)
        known = entries.get(key)
        if known is None or _number(known.name) < _number(entry.name):
            entries[key] = entry
    return Finished(entries, tuple(map(str, store.problems())))


def _number(name: str) -> int:
    """How often the same was stored, by the name's end (``@2``)."""
    end = name.rpartition("@")[2]
    return int(end) if end.isdecimal() else 1
