"""Whose turn it is among experiments that are run by several workers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.runs.order import ordered, ordered_in_studies
from pytest_llem.runs.repeats import Repeated

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(slots=True, kw_only=True)
class Shared(Repeated):
    """An experiment that any worker may run."""

    index: int
    """Of its item among those that each worker collected."""
    study: tuple[str, int] | None = None
    """The study whose shuffled order it is in, and its seed."""
    running: bool = False
    """Whether a further process of it runs."""

    @property
    def is_due(self) -> bool:
        """Whether a further process of it can begin."""
        return self.may_go_on and not self.running


class Turns:
    """Rounds: those first that have run least, as collected, or in an order that a seed gives."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._number = 0
        self._queue: deque[Shared] = deque()

    def next(self, experiments: Collection[Shared]) -> Shared | None:
        """The one among *experiments* to run next; ``None`` if none can."""
        while True:
            while self._queue:
                one = self._queue.popleft()
                if one.is_due and one.ran == self._number:
                    return one
            due = [one for one in experiments if one.is_due]
            if not due:
                return None
            self._number = min(one.ran for one in due)
            self._queue.extend(self._round([one for one in due if one.ran == self._number]))

    def _round(self, due: list[Shared]) -> list[Shared]:
        collected = sorted(due, key=lambda one: one.index)
        if self._seed is not None:
            return ordered(collected, self._seed, self._number)
        return ordered_in_studies(collected, lambda one: one.study, self._number)
