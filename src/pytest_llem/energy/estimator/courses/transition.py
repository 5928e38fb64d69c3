"""How long power takes from one plateau to the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USUAL_S = 0.003
"""What is believed where nothing shows it: voltage regulators, and work that runs out."""
UNSEEN, SEEN = 0.25, 0.9
"""Share of the jumps that take their time, by whether it shows."""
STANDS, ARRIVES = 0.1, 0.3
"""In units of the leap: two refreshes of one plateau differ by no more than the first, and that
of a jump differs by more from the one before; the next one lacks no more than the second."""
CLEAR = 10.0
"""A leap is so many times what scatters on plateaus, at least."""
BLURS = 0.03
"""Plateaus that drift by more, in units of the leap, show no tail."""
BEYOND = 3.0
"""A tail is seen that is so many times what scatters."""
STRAY = 5
"""One tail in so many may be something else."""
HALVINGS = 20
"""Steps of the search for a time."""


class Transition(NamedTuple):
    """How jumps that take their time go on."""

    constant_s: float
    """Time constant."""
    share: float
    """Of all jumps."""


AT_ONCE = Transition(0.0, 0.0)


def transition_of(means_w: Sequence[float], period_s: float, ripple_w: float) -> Transition:
    """Time constant of power's approach to a new plateau, as far as refreshes after jumps tell.

    What a jump leaves to do is seen in the next refresh, the more the later it came in its own;
    the best of several jumps came so late that none of it escaped. Where nothing is seen, it
    is shorter than what would be.

    Args:
        means_w: mean powers over refreshes, in order.
        period_s: of the refreshes.
        ripple_w: by how much means on a plateau scatter.
    """
    tails = sorted(_tails(means_w, ripple_w), key=lambda tail: tail[::-1], reverse=True)
    if not tails:
        return Transition(USUAL_S, UNSEEN)
    which = len(tails) // STRAY
    left_s = period_s * (STANDS + (1 - STANDS) * (which + 1) / (len(tails) + 1))
    tail, is_seen = tails[which]
    found_s = _constant_s(tail * period_s, left_s)
    if is_seen:
        return Transition(found_s, SEEN)
    return Transition(min(found_s, USUAL_S), UNSEEN)


def _tails(means_w: Sequence[float], ripple_w: float) -> Iterator[tuple[float, bool]]:
    """Of each clear jump, what the next refresh still lacks, beside the leap, and if that is seen."""
    for i in range(len(means_w) - 5):
        before_w, from_w, mixed_w, first_w, to_w, after_w = means_w[i : i + 6]
        leap_w = to_w - from_w
        most_w = abs(leap_w)
        drift_w = max(abs(after_w - to_w), abs(from_w - before_w))
        lacks_w = (to_w - first_w) * math.copysign(1.0, leap_w)
        if most_w <= CLEAR * ripple_w or drift_w > STANDS * most_w:
            continue
        begun_w = (mixed_w - from_w) * math.copysign(1.0, leap_w)
        if lacks_w > ARRIVES * most_w or begun_w < STANDS * most_w:
            continue
        noise_w = BEYOND * ripple_w + 2 * drift_w
        if noise_w > BLURS * most_w:
            continue
        yield max(lacks_w, noise_w) / most_w, lacks_w > noise_w


def _constant_s(tail_s: float, left_s: float) -> float:
    """Of an exponential approach of which so much, beside its leap, is left after a time."""
    low_s, high_s = 0.0, math.e * max(tail_s, left_s)
    for _ in range(HALVINGS):
        middle_s = (low_s + high_s) / 2
        if middle_s * math.exp(-left_s / middle_s) < tail_s:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s
