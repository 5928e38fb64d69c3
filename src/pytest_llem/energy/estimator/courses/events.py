"""What happens along all ways in which power may have run, in order."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = 10
"""Instants in a refresh at which power may jump."""


class Window(NamedTuple):
    """What a power reading averages over, in seconds, and the energy that it tells."""

    start_s: float
    end_s: float
    energy_j: float


# Kinds of events, in the order in which simultaneous ones happen.
CLOSE, SEE, BEGIN, OPEN, JUMP, PULSE, NODE, STOP = range(8)


class Event(NamedTuple):
    time_s: float
    kind: int
    value: float = 0.0
    since_s: float = 0.0
    until_s: float = 0.0


def events_of(
    nodes: Sequence[tuple[float, float]],
    windows: Sequence[Window],
    asked_s: tuple[float, float],
    slip_s: float,
) -> list[Event]:
    events = [Event(asked_s[0], BEGIN), Event(asked_s[1], STOP)]
    after_s = min(end_s for end_s, _ in nodes if end_s > asked_s[1])
    for (start_s, before_j), (end_s, after_j) in pairwise(nodes):
        events += _places(start_s, end_s, asked_s[1])
        stretches = _stretches(start_s, end_s, windows, asked_s[1])
        if end_s == asked_s[0]:
            events.append(stretches[-1])
        elif start_s == asked_s[0]:
            events += stretches
        elif start_s == after_s:
            events.append(stretches[0])
        events.append(Event(end_s, NODE, after_j - before_j))
    for window in windows:
        events.append(Event(window.start_s, OPEN))
        events.append(Event(window.end_s, CLOSE))
        events.append(Event(window.end_s + slip_s, SEE, window.energy_j, window.start_s))
    return sorted(events)


def _places(start_s: float, end_s: float, at_s: float) -> list[Event]:
    """Where power may jump in a refresh: in the middle of stretches, none across *at_s*.

    A jump lies anywhere in its stretch, so that it must be wholly before or after the
    instant up to which energy is asked for.
    """
    cuts = [start_s, at_s, end_s] if start_s < at_s < end_s else [start_s, end_s]
    places = []
    for low_s, high_s in pairwise(cuts):
        count = max(round(PLACES * (high_s - low_s) / (end_s - start_s)), 1)
        step_s = (high_s - low_s) / count
        unsure_s2 = step_s * step_s / 12
        places += [Event(low_s + (i + 0.5) * step_s, JUMP, unsure_s2) for i in range(count)]
    return places


def _stretches(start_s: float, end_s: float, windows: Sequence[Window], at_s: float) -> list[Event]:
    """Where a pulse may lie in a refresh: each stretch adds to other energies than the next."""
    cuts = [at_s, *(cut_s for window in windows for cut_s in (window.start_s, window.end_s))]
    inside = sorted({cut_s for cut_s in cuts if start_s < cut_s < end_s})
    return [
        Event((low_s + high_s) / 2, PULSE, end_s - start_s, low_s, high_s)
        for low_s, high_s in pairwise([start_s, *inside, end_s])
    ]
