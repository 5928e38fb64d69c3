"""Keeping the journal of a run, which must not cost the run if it cannot be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.journal import Journal
    from pytest_llem.results.schema import Outcome
    from pytest_llem.results.transitions import Key


class Diary:
    """Writes into a journal; says once that it cannot."""

    def __init__(self, journal: Journal, tell: Callable[[str], None]) -> None:
        self._journal = journal
        self._tell = tell
        self._told = False

    def running(self, key: Key) -> None:
        self._try(lambda: self._journal.running(key))

    def pending(self, key: Key) -> None:
        self._try(lambda: self._journal.pending(key))

    def finished(self, key: Key, outcome: Outcome, result: str | None) -> None:
        self._try(lambda: self._journal.finished(key, outcome, result))

    def close(self) -> None:
        self._journal.leave()

    def _try(self, note: Callable[[], None]) -> None:
        try:
            note()
        except StoreError as error:
            if not self._told:
                self._told = True
                self._tell(f"{error} Results tell what has finished; the run goes on.")
