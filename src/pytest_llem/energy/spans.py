"""How far sums over devices, and over windows, may be off by the instrument."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.known import all_known, known_hypot, known_sum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.estimator.window import WindowEnergy
    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace


def together(energies: Sequence[WindowEnergy]) -> float | None:
    """Half-width of a sum over devices: what is off for all alike adds up, the rest in quadrature."""
    own = all_known(one.uncertainty_j for one in energies)
    if own is None:
        return None
    if len(own) == 1:
        return own[0]
    apart_j2 = math.fsum(
        half_j**2 - energy.alike_j**2 for half_j, energy in zip(own, energies, strict=True)
    )
    return math.hypot(math.sqrt(max(apart_j2, 0.0)), math.fsum(one.alike_j for one in energies))


def instrument_j(
    samples: Sequence[WindowSample], groups: Sequence[Sequence[Trace]]
) -> float | None:
    """Half-width of the sum of windows' energies by the instrument; ``None`` where it states none.

    Windows that touch are read as one: what an edge between them gives to one window it takes
    from the other, and what is off all the time, such as a power that is told in whole watts, is
    off in each of them alike. Their sum may be off from it, as edges are judged by what was read
    around each window. Stretches that do not touch are taken to err alike as well.

    Args:
        samples: windows that count, in order.
        groups: traces whose energies were added; those of one group are read by one driver.
            Without any, all windows are taken to err alike.
    """
    return known_sum(_part_j(run, groups) for run in _runs(samples))


def _runs(samples: Sequence[WindowSample]) -> Iterator[Sequence[WindowSample]]:
    """Windows by stretches in which the end of one is the start of the next."""
    first = 0
    for number, (one, other) in enumerate(pairwise(samples), start=1):
        if one.end_ns != other.start_ns:
            yield samples[first:number]
            first = number
    yield samples[first:]


def _part_j(run: Sequence[WindowSample], groups: Sequence[Sequence[Trace]]) -> float | None:
    whole = _whole(run, groups) if len(run) > 1 else None
    if whole is not None:
        energy_j, half_j = whole
        added_j = math.fsum(one.energy_j or 0.0 for one in run)
        return half_j + abs(added_j - energy_j)
    return known_sum(one.energy_uncertainty_j for one in run)


def _whole(
    run: Sequence[WindowSample], groups: Sequence[Sequence[Trace]]
) -> tuple[float, float] | None:
    """Energy from the start of *run* to its end, and its half-width; ``None`` if not known."""
    start_ns, end_ns = run[0].start_ns, run[-1].end_ns
    found = [[estimate_window(trace, start_ns, end_ns) for trace in group] for group in groups]
    energy_j = known_sum(one.energy_j for group in found for one in group)
    half_j = known_hypot(map(together, found))
    return None if energy_j is None or half_j is None else (energy_j, half_j)
