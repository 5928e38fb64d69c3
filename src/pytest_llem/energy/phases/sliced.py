"""The windows over the whole cut where prefill ended, where phases are long enough for that."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llem.energy.estimator.counter import refresh_period_s
from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.figures import counted
from pytest_llem.energy.phases.contradictions import contradiction_in
from pytest_llem.energy.phases.overlap import overlap_of
from pytest_llem.energy.phases.split import Prefill, Split, Told, split, unresolved
from pytest_llem.energy.student import mean_and_half_width_95

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.marks import Pass, WindowMark
    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace

LEAST_REFRESHES = 10
"""A phase has to last so many refreshes of the counter. A cut inside a refresh misses a part
of that refresh's energy at worst, so two cuts miss some percent of ten refreshes
(``benchmarks/accuracy.py`` prints how much, for windows of 1 s with arbitrary ends and a
refresh of 100 ms); of fewer, what is inferred is no longer small against what is read."""
MOST_SHARE = 0.1
"""And its uncertainty must not exceed this share of its energy."""


class Slices(NamedTuple):
    """One window cut into its phases, for one pass in the mean."""

    prefill_j: float
    decode_j: float
    cut_j: float
    """Half-width of the 95 % interval of what the cuts of a pass may have moved."""
    prefill_s: float


def sliced_split(
    whole: Mapping[str, Any],
    windows: Sequence[WindowMark],
    samples: Sequence[WindowSample],
    traces: Sequence[Trace],
) -> Split:
    """Prefill as what lies between the start of each pass and its last first token.

    Time between passes is decode's, that before a window's first pass prefill's: slices
    fill a window. Energies at the cuts are counted from the window's start, by the same
    estimator, so that those of the slices add up to the window's.

    The uncertainty is the t interval over windows, or what the cuts may have moved where
    that is larger. Cuts fall alike in every pass, so their errors are not taken to average
    out.

    Args:
        whole: figures of the whole.
        windows: all windows.
        samples: what they came to, in the same order.
        traces: of the devices that are summed.
    """
    chosen = [
        (mark, sample)
        for mark, sample in zip(windows, samples, strict=True)
        if sample.phase == "whole" and counted([sample])
    ]
    marks = [mark for mark, _ in chosen]
    if reason := _hopeless(marks, traces):
        return unresolved(reason)
    slices = [_slices(mark, sample.energy_j or 0.0, traces) for mark, sample in chosen]
    known = [each for each in slices if each is not None]
    if len(known) < len(slices):
        return unresolved(
            "Readings are missing where prefill ended, so the windows cannot be cut there."
        )
    return _judged(whole, known)


def _hopeless(marks: Sequence[WindowMark], traces: Sequence[Trace]) -> str:
    """Why the windows cannot be cut, as far as that shows before they are; else nothing."""
    if reason := _unmarked(marks):
        return reason
    if any(trace.device.capability.method == "integrated" for trace in traces):
        return (
            "The device has no energy counter, and what its power readings average over is not "
            "known: it may be longer than a phase."
        )
    shortest_s = min((b - a) / 1e9 for mark in marks for a, b in pairwise(_cuts_ns(mark)))
    first_ns, last_ns = marks[0].start_ns, marks[-1].end_ns
    periods = [refresh_period_s(trace, first_ns, last_ns) for trace in traces]
    known = [period for period in periods if period is not None]
    if len(known) < len(periods):
        return "How often the device refreshes its counter was not seen."
    if shortest_s < LEAST_REFRESHES * max(known):
        return (
            f"The shortest phase lasts {shortest_s:.3g} s, which is less than {LEAST_REFRESHES} "
            f"refreshes of the counter ({max(known):.3g} s each)."
        )
    return ""


def _unmarked(marks: Sequence[WindowMark]) -> str:
    if any(one.prefill_end_ns is None for mark in marks for one in mark.passes):
        return "The engine does not say when requests had their first tokens."
    return overlap_of(marks) or contradiction_in(marks)


def _cuts_ns(mark: WindowMark) -> list[int]:
    """Instants that bound the phases of a window: its start, then two a pass."""
    cuts = [mark.start_ns]
    for number, one in enumerate(mark.passes):
        cuts += [one.start_ns] * bool(number) + [_prefill_end_ns(one)]
    return [*cuts, mark.end_ns]


def _prefill_end_ns(one: Pass) -> int:
    return one.start_ns if one.prefill_end_ns is None else one.prefill_end_ns


def _slices(mark: WindowMark, energy_j: float, traces: Sequence[Trace]) -> Slices | None:
    """The window's energy in slices; ``None`` where it is not known at a cut."""
    start_ns, *inner_ns, end_ns = _cuts_ns(mark)
    found = [_until(traces, start_ns, cut_ns) for cut_ns in inner_ns]
    at_cuts = [one for one in found if one is not None]
    if len(at_cuts) < len(found):
        return None
    sums_j = [0.0, *(until_j for until_j, _ in at_cuts), energy_j]
    passes = len(mark.passes)
    prefill_j = math.fsum(sums_j[i + 1] - sums_j[i] for i in range(0, 2 * passes, 2)) / passes
    cuts_ns = [start_ns, *inner_ns, end_ns]
    prefill_ns = sum(cuts_ns[i + 1] - cuts_ns[i] for i in range(0, 2 * passes, 2))
    uncertain_j = [0.0, *(half_j for _, half_j in at_cuts)]
    cut_j = fmean(math.hypot(*uncertain_j[i : i + 2]) for i in range(0, 2 * passes, 2))
    return Slices(prefill_j, energy_j / passes - prefill_j, cut_j, prefill_ns / 1e9 / passes)


def _until(traces: Sequence[Trace], start_ns: int, cut_ns: int) -> tuple[float, float] | None:
    """Energy of all devices from a window's start to a cut, and its half-width, in joules."""
    energies = [estimate_window(trace, start_ns, cut_ns) for trace in traces]
    known = [
        (energy.energy_j, energy.uncertainty_j)
        for energy in energies
        if energy.energy_j is not None and energy.uncertainty_j is not None
    ]
    if len(known) < len(energies):
        return None
    return math.fsum(energy_j for energy_j, _ in known), math.hypot(*(half for _, half in known))


def _judged(whole: Mapping[str, Any], slices: Sequence[Slices]) -> Split:
    prefill_j, prefill_half_j = mean_and_half_width_95([each.prefill_j for each in slices])
    decode_j, decode_half_j = mean_and_half_width_95([each.decode_j for each in slices])
    cut_j = fmean(each.cut_j for each in slices)
    halves_j = max(prefill_half_j or 0.0, cut_j), max(decode_half_j or 0.0, cut_j)
    for name, half_j, energy_j in zip(
        ("Prefill", "Decode"), halves_j, (prefill_j, decode_j), strict=True
    ):
        if half_j > MOST_SHARE * energy_j:
            return unresolved(
                f"{name} came to {energy_j:.4g} ± {half_j:.2g} J, and what is uncertain by more than "
                f"{MOST_SHARE:.0%} is not called known: the slices are too short for the readings."
            )
    how = f"{len(slices)} window{'s' if len(slices) > 1 else ''} cut where prefill ended"
    prefill = Prefill(
        energy_j=prefill_j,
        energy_uncertainty_j=halves_j[0],
        duration_s=fmean(each.prefill_s for each in slices),
        decode_uncertainty_j=halves_j[1],
        ttft_s=whole["ttft_s"],
    )
    return split(whole, prefill, Told("sliced", f"Mean over {how}.", f"The rest of {how}."))
