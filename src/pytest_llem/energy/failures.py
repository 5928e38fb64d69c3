"""Requests that failed within a window, and when they are too many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.energy.marks import Pass

MOST_FAILED = 0.01
"""Of the requests that ended in a window; with more, it says nothing of a server that works."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Requests of a window that failed."""

    ended: int
    kinds: Mapping[str, int]

    @property
    def failed(self) -> int:
        return sum(self.kinds.values())


def failures_in(passes: Iterable[Pass]) -> Failures:
    """The failures of traffic; none of batches, which fail as a whole."""
    requests = [one for done in passes if done.served for one in done.served.requests]
    kinds = Counter(one.failure for one in requests if one.failure is not None)
    return Failures(len(requests), dict(sorted(kinds.items())))


def disturbing(failures: Failures) -> bool:
    """Whether they make a window invalid."""
    return failures.failed > MOST_FAILED * failures.ended


def said_of(failures: Failures) -> str:
    """The failures in words, by kind."""
    kinds = ", ".join(f"{count} × {kind}" for kind, count in failures.kinds.items())
    return f"{failures.failed} of {failures.ended} requests failed: {kinds}"
