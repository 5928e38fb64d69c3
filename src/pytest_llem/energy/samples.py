"""From a marked window and the traces of its devices to the window's sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.measured import WindowSample, ratio
from pytest_llem.energy.throttling import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.estimator.window import WindowEnergy
    from pytest_llem.energy.marks import Pass, WindowMark
    from pytest_llem.energy.sampling.trace import Trace

LIMIT_TOLERANCE = 1e-3
"""Relative; drivers report the power limit with noise in the last digit."""


def window_sample(mark: WindowMark, traces: Sequence[Trace]) -> WindowSample:
    """What a window came to: energy summed over the devices, work over the passes."""
    energies = [estimate_window(trace, mark.start_ns, mark.end_ns) for trace in traces]
    seen = [_facts_of(trace, mark) for trace in traces]
    disturbances = list(_disturbances(traces, seen))
    duration_s = (mark.end_ns - mark.start_ns) / 1e9
    energy_j = _sum(energy.energy_j for energy in energies)
    return WindowSample(
        phase=mark.phase,
        index=mark.index,
        start_ns=mark.start_ns,
        end_ns=mark.end_ns,
        duration_s=duration_s,
        passes=len(mark.passes),
        energy_j=energy_j,
        energy_uncertainty_j=_hypot(energy.uncertainty_j for energy in energies),
        counter_energy_j=_sum(energy.counter_energy_j for energy in energies),
        integrated_energy_j=_sum(energy.integrated_energy_j for energy in energies),
        power_w=ratio(energy_j, duration_s),
        requests=_total(one.requests for one in mark.passes),
        input_tokens=_total(one.input_tokens for one in mark.passes),
        output_tokens=_total(one.output_tokens for one in mark.passes),
        ttft_s=_mean([one.ttft_s for one in mark.passes]),
        itl_s=_mean([one.itl_s for one in mark.passes]),
        temperature_c=_hottest(seen),
        sm_clock_mhz=_mean([fact.sm_clock_mhz for facts in seen for fact in facts]),
        power_limit_w=_sum(facts[-1].power_limit_w if facts else None for facts in seen),
        throttle_reasons=_throttle_reasons(seen),
        valid=all(energy.valid for energy in energies) and not disturbances,
        warnings=(*_warnings(traces, energies), *disturbances),
        finish_reasons=_finish_reasons(mark.passes),
        output_length=mark.output_length,
    )


def _facts_of(trace: Trace, mark: WindowMark) -> list[Facts]:
    """Facts taken inside the window, after the last one before it."""
    before = [fact for fact in trace.facts if fact.time_ns <= mark.start_ns]
    inside = [fact for fact in trace.facts if mark.start_ns < fact.time_ns <= mark.end_ns]
    return [*before[-1:], *inside]


def _disturbances(traces: Sequence[Trace], seen: Sequence[list[Facts]]) -> Iterator[str]:
    """What makes a window invalid although its energy is known."""
    for trace, facts in zip(traces, seen, strict=True):
        reasons = {reason for fact in facts for reason in fact.throttle_reasons or ()}
        if harmful := sorted(reasons - HARMLESS):
            yield f"{trace.device.uuid} was throttled: {', '.join(harmful)}"
        slowed = [fact.slowed_ns for fact in facts if fact.slowed_ns is not None]
        if not harmful and slowed and slowed[-1] > slowed[0]:
            seconds = (slowed[-1] - slowed[0]) / 1e9
            yield (
                f"{trace.device.uuid} was slowed for {seconds:.3g} s by heat or a limit of its "
                "board, between two looks"
            )
        if foreign := _foreign(facts):
            yield f"{trace.device.uuid} also computed for others: {foreign}"
        limits = [fact.power_limit_w for fact in facts if fact.power_limit_w is not None]
        if limits and max(limits) - min(limits) > LIMIT_TOLERANCE * max(limits):
            yield (
                f"the power limit of {trace.device.uuid} changed "
                f"from {limits[0]:g} W to {limits[-1]:g} W"
            )


def _foreign(facts: Sequence[Facts]) -> str:
    """Processes that are not the experiment's, by number."""
    seen = sorted({pid for fact in facts for pid in fact.foreign_processes or ()})
    if not seen:
        return ""
    return f"process {seen[0]}" if len(seen) == 1 else f"processes {', '.join(map(str, seen))}"


def _warnings(traces: Sequence[Trace], energies: Sequence[WindowEnergy]) -> Iterator[str]:
    for trace, energy in zip(traces, energies, strict=True):
        yield from (f"{trace.device.uuid}: {warning}" for warning in energy.warnings)


def _hottest(seen: Sequence[list[Facts]]) -> float | None:
    first = [facts[0].temperature_c for facts in seen if facts]
    return max((value for value in first if value is not None), default=None)


def _throttle_reasons(seen: Sequence[list[Facts]]) -> tuple[str, ...] | None:
    told = [fact.throttle_reasons for facts in seen for fact in facts]
    known = [reasons for reasons in told if reasons is not None]
    if not known:
        return None
    return tuple(sorted({reason for reasons in known for reason in reasons}))


def _finish_reasons(passes: Sequence[Pass]) -> dict[str, int] | None:
    if any(one.requests is not None and not one.finish_reasons for one in passes):
        return None
    totals: dict[str, int] = {}
    for one in passes:
        for reason, count in one.finish_reasons.items():
            totals[reason] = totals.get(reason, 0) + count
    return totals or None


def _sum(values: Iterable[float | None]) -> float | None:
    """Their sum; ``None`` where one of them is unknown."""
    known = list(values)
    if not known or None in known:
        return None
    return math.fsum(value for value in known if value is not None)


def _hypot(values: Iterable[float | None]) -> float | None:
    """Half-width of a sum whose parts err independently."""
    total = _sum(None if value is None else value * value for value in values)
    return None if total is None else math.sqrt(total)


def _total(values: Iterable[int | None]) -> int | None:
    total = _sum(values)
    return None if total is None else round(total)


def _mean(values: Sequence[float | None]) -> float | None:
    total = _sum(values)
    return None if total is None else total / len(values)
