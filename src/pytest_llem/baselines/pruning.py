"""Shortening histories and removing experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.rulebook import matches

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.baselines.file import Entry
    from pytest_llem.baselines.store import Baselines


class Pruning:
    """A change of entries, as :meth:`BaselineStore.rewrite` takes it; it says what it did."""

    def __init__(self, sessions: int, *, history: bool = False, remove: str | None = None) -> None:
        """Keep so many *sessions*, without *history* only current ones; *remove* a glob of experiments."""
        self.said: list[str] = []
        self._sessions = sessions
        self._history = history
        self._remove = remove

    def __call__(self, group: str, entry: Entry) -> Entry | None:
        name = f"{group}[{entry.label}]" if entry.label else group
        if self._remove is not None and matches(self._remove, name):
            self.said.append(f"{name}: removed, with {len(entry.sessions)} sessions")
            return None
        kept = (entry.current if self._history else entry.sessions)[-self._sessions :]
        if len(kept) == len(entry.sessions):
            return entry
        self.said.append(f"{name}: {len(entry.sessions)} → {len(kept)} sessions")
        return entry.model_copy(update={"sessions": kept})

    def preview(self, baselines: Baselines) -> list[Path]:
        """Say what would be done, and do nothing."""
        for file in baselines.all():
            for entry in file.entries.values():
                self(file.group, entry)
        return []
