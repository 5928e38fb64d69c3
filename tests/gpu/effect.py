"""Does sampling slow the sampled process down? Tokens a second with it, over those without."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gpu.findings import FOUND, MISSED, UNDECIDED, CannotRunError, Finding, ratio_interval
from gpu.recording import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu.load import ChildLoad
    from gpu.recording import Recorder
    from pytest_llem.energy.sampling.sampler import Sampler

CHECK = "sampling on / off"
WANTED = 0.995
"""Least lower 95 % bound of tokens a second with sampling over without."""
LEAST_PAIRS = 10

Served = tuple[int, int, int]
"""One pass: start, end, output tokens."""
Span = tuple[int, int, bool]
"""From when to when the sampler was on, or off."""


def effect(  # noqa: PLR0913 - the parties, and how long
    recorder: Recorder,
    load: ChildLoad,
    make_sampler: Callable[[], Sampler],
    config: dict[str, Any],
    *,
    pairs: int,
    block_s: float,
) -> Finding:
    """A model serves without a pause; the sampler is on and off by turns.

    It begins anew each time, and spends most of its turn searching for the refresh period, when
    it reads most often: the effect in a longer measurement is smaller, if anything.

    Raises:
        CannotRunError: there is no model to serve, or it is too slow for the blocks.
    """
    load.generate((2 * pairs + 2) * block_s, config)
    load.generated()
    turns = [on for pair in range(pairs) for on in (bool(pair % 2), not pair % 2)]
    spans = [_span(recorder, make_sampler if on else None, block_s) for on in turns]
    return judged(spans, load.generated()["passes"])


def judged(spans: Sequence[Span], passes: Sequence[Served], wanted: float = WANTED) -> Finding:
    """From when the sampler ran and when passes did to the ratio of their rates.

    Raises:
        CannotRunError: too few pairs of spans have a pass inside both.
    """
    rates = [(on, _rate(passes, start, end)) for start, end, on in spans]
    found = []
    for (first_on, first), (_, second) in list(pairwise(rates))[::2]:
        if first and second:
            found.append((first, second) if first_on else (second, first))
    if len(found) < LEAST_PAIRS:
        raise CannotRunError(f"only {len(found)} pairs of blocks had a whole pass in them")
    mean, low, high = ratio_interval(found)
    outcome = FOUND if low >= wanted else MISSED if high < wanted else UNDECIDED
    compared = "at least" if outcome == FOUND else "not shown to be at least"
    verdict = (
        f"{mean:.4f} [{low:.4f}, {high:.4f}] times the tokens/s with sampling on, over "
        f"{len(found)} pairs: {compared} {wanted}"
    )
    figures = {
        "ratio": mean,
        "ratio_95": [low, high],
        "pairs": len(found),
        "passes": len(passes),
        "wanted_lower_bound": wanted,
        "tokens_per_s_off": _median([off for _, off in found]),
    }
    return Finding(CHECK, verdict, outcome, figures)


def _span(recorder: Recorder, make_sampler: Callable[[], Sampler] | None, block_s: float) -> Span:
    sampler = None if make_sampler is None else make_sampler()
    if sampler is not None:
        sampler.start()
        sampler.attend(True)
    start_ns = recorder.clock()
    recorder.sleep(block_s)
    end_ns = recorder.clock()
    if sampler is not None:
        sampler.stop()
    return start_ns, end_ns, sampler is not None


def _rate(passes: Sequence[Served], start_ns: int, end_ns: int) -> float | None:
    """Tokens a second of the passes that lie wholly inside a span."""
    inside = [one for one in passes if one[0] >= start_ns and one[1] <= end_ns]
    took_ns = sum(end - start for start, end, _ in inside)
    return sum(tokens for *_, tokens in inside) / took_ns * SECOND if took_ns else None


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
