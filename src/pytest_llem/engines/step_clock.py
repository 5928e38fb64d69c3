"""Stopping criteria that stop little: one stamps every step, one ends single requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class StepClock:
    """Stamps the end of every output step; never stops anything.

    ``generate`` asks its stopping criteria once a step, after the new tokens
    were appended. The first step ends when prefill has produced a token.
    """

    def __init__(
        self, clock: Callable[[], int], synchronize: Callable[[], None], never: Any
    ) -> None:
        self.step_ns: list[int] = []
        self._clock = clock
        self._synchronize = synchronize
        self._never = never

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """*never*, a tensor of ``False`` of shape (batch,) on the device of *input_ids*."""
        del input_ids, scores, kwargs
        self._synchronize()
        self.step_ns.append(self._clock())
        return self._never


class RequestEnds:
    """Ends each request at its own length or, unless it ignores it, at an end of sequence.

    An ended row goes on to be computed with the others until all have ended;
    what it generates afterwards belongs to no request.
    """

    def __init__(
        self, torch: Any, lengths: Sequence[int], heed: Sequence[bool], ends: Sequence[int], at: Any
    ) -> None:
        self._isin = torch.isin
        self._lengths = torch.tensor(lengths, device=at)
        self._heed = torch.tensor(heed, device=at)
        self._ends = torch.tensor(ends, dtype=torch.long, device=at)
        self._steps = 0

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """Which rows are over after this step, a boolean tensor of shape (batch,)."""
        del scores, kwargs
        self._steps += 1
        ended = self._heed & self._isin(input_ids[:, -1], self._ends)
        return ended | (self._lengths <= self._steps)
