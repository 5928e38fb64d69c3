"""The processes of many comparisons as arrays, so that a family is judged in one go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llem.baselines.statistics import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.arrays import Bools, Floats, Ints
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.samples import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Processes:
    """Processes by session, sessions by comparison; every side has one at least.

    Arrays have one element a process (``location`` to ``session``), a session
    (``comparison`` to ``anchor_error``), or a comparison (``same_session``).
    """

    location: Floats
    """Trimmed mean of the logarithms of the windows."""
    squares: Floats
    """Winsorized sum of squares of the windows around their mean."""
    kept: Floats
    """Windows that the trimming left."""
    stated: Floats
    """Stated relative standard error of a value without windows; 0 if windows tell it."""
    number: Ints
    """Place among the processes of the session, from 0."""
    session: Ints
    comparison: Ints
    candidate: Bools
    """Whether the session is on the candidate's side."""
    anchor: Floats
    """Where the session's anchors lie, on the logarithm; NaN if it has none."""
    anchor_error: Floats
    """Standard error of that."""
    same_session: Bools
    """Whether both sides were measured in one session, interleaved."""
    limit: Bools | None = None
    """Whether the baseline is a limit, which is known exactly; ``None`` is nowhere."""

    @property
    def size(self) -> int:
        """How many comparisons there are."""
        return len(self.same_session)

    def counts(self) -> Ints:
        """How many processes the candidate of each comparison has."""
        of_process = self.comparison[self.session][self.candidate[self.session]]
        return np.asarray(np.bincount(of_process, minlength=self.size))

    def first(self, counts: Ints) -> Processes:
        """The same with the first *counts* processes of each comparison only.

        That limits the sides that grow: the candidate's, and of an interleaved comparison
        both. A stored baseline is there as a whole from the start.
        """
        grows = self.candidate | self.same_session[self.comparison]
        limits = np.where(grows, counts[self.comparison], np.iinfo(np.int64).max)
        chosen = self.number < limits[self.session]
        return replace(
            self,
            location=self.location[chosen],
            squares=self.squares[chosen],
            kept=self.kept[chosen],
            stated=self.stated[chosen],
            number=self.number[chosen],
            session=self.session[chosen],
        )


def trimmed(logs: Floats) -> tuple[Floats, Floats, int]:
    """Trimmed means, winsorized squares and windows kept of processes with equally many windows.

    As :func:`~pytest_llem.baselines.statistics.windows`, which has the source, for an array
    whose last axis are the windows.
    """
    ordered = np.sort(logs, axis=-1)
    count = ordered.shape[-1]
    off = cut(count)
    kept = ordered[..., off : count - off]
    inside = np.clip(ordered, kept[..., :1], kept[..., -1:])
    squares = ((inside - inside.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return kept.mean(axis=-1), squares, count - 2 * off


def processes_of(comparisons: Sequence[Comparison]) -> Processes:
    """The processes of *comparisons*, of which each has two sides with positive values."""
    sessions = list(_sessions(comparisons))
    samples = [sample for session in sessions for sample in session.samples]
    counts = [len(session.samples) for session in sessions]
    location, squares, kept = _reduced(samples)
    return Processes(
        location=location,
        squares=squares,
        kept=kept,
        stated=np.array([sample.standard_error or 0.0 for sample in samples]),
        number=np.concatenate([np.arange(count) for count in counts]),
        session=np.repeat(np.arange(len(counts)), counts),
        comparison=np.array([session.comparison for session in sessions]),
        candidate=np.array([session.candidate for session in sessions]),
        anchor=np.array([session.anchor for session in sessions]),
        anchor_error=np.array([session.anchor_error for session in sessions]),
        same_session=np.array([one.same_session for one in comparisons]),
        limit=np.array([one.rule.limit is not None for one in comparisons]),
    )


@dataclass(frozen=True, slots=True)
class _Session:
    samples: tuple[Sample, ...]
    comparison: int
    candidate: bool
    anchor: float
    anchor_error: float


def _sessions(comparisons: Sequence[Comparison]) -> Iterator[_Session]:
    for position, comparison in enumerate(comparisons):
        for is_candidate, side in enumerate((comparison.baseline, comparison.candidate)):
            assert side is not None  # noqa: S101 - such comparisons are not given
            for number, samples in enumerate(side.sessions):
                anchor = side.anchors[number] if side.anchors else None
                offset, error = (math.nan, 0.0) if anchor is None else (anchor.log, anchor.error)
                yield _Session(samples, position, bool(is_candidate), offset, error)


def _reduced(samples: Sequence[Sample]) -> tuple[Floats, Floats, Floats]:
    places: dict[int, list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault(len(sample.values), []).append(place)
    location, squares, kept = (np.empty(len(samples)) for _ in range(3))
    for some in places.values():
        logs = np.log(np.array([samples[place].values for place in some]))
        location[some], squares[some], kept[some] = trimmed(logs)
    return location, squares, kept


def total(values: Any, index: Ints, size: int) -> Floats:
    """Sums of *values* by *index*."""
    return np.asarray(np.bincount(index, weights=values, minlength=size))
