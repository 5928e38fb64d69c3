"""Stopping criteria that stop little: one stamps every step, one ends single requests."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class StepClock:
    """Stamps the end of every output step; never stops anything.

    ``generate`` asks its stopping criteria once a step, after the new tokens
    were appended. The first step ends when prefill has produced a token.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        synchronize: Callable[[], None],
        never: Callable[[int], Any],
        width: int = 0,
    ) -> None:
        """*never* makes a tensor of ``False`` of a length; prompts are *width* tokens long."""
        self.step_ns: list[int] = []
        self.produced: list[int] = []
        """Output tokens of a sequence after each step; speculation adds several at once."""
        self._clock = clock
        self._synchronize = synchronize
        self._make_never = never
        self._width = width
        self._never: Any = None

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """A tensor of ``False``, one for each sequence, of which beams have several a request."""
        del scores, kwargs
        self._synchronize()
        self.step_ns.append(self._clock())
        rows, length = input_ids.shape
        self.produced.append(length - self._width)
        if self._never is None or len(self._never) != rows:
            self._never = self._make_never(rows)
        return self._never

    def end_ns(self, tokens: int) -> int:
        """When a sequence first had that many output tokens."""
        return self.step_ns[bisect_left(self.produced, tokens)]

    def token_ns(self, tokens: int) -> tuple[int, ...]:
        """When each of the first output tokens of a sequence existed."""
        if len(self.produced) == self.produced[-1]:  # one a step
            return tuple(self.step_ns[:tokens])
        return tuple(self.end_ns(number) for number in range(1, tokens + 1))


class RequestEnds:
    """Ends each request at its own length or, unless it ignores it, at an end of sequence.

    An ended row goes on to be computed with the others until all have ended;
    what it generates afterwards belongs to no request.
    """

    def __init__(
        self,
        torch: Any,
        lengths: Sequence[int],
        heed: Sequence[bool],
        ends: Sequence[int],
        at: Any,
    ) -> None:
        """*lengths* are those of whole sequences, prompts and padding included."""
        self._isin = torch.isin
        self._lengths = torch.tensor(lengths, device=at)
        self._heed = torch.tensor(heed, device=at)
        self._ends = torch.tensor(ends, dtype=torch.long, device=at)

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """Which rows are over after this step, a boolean tensor of shape (batch,)."""
        del scores, kwargs
        ended = self._heed & self._isin(input_ids[:, -1], self._ends)
        return ended | (self._lengths <= input_ids.shape[1])
