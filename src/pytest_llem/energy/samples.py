"""From a marked window and the traces of its devices to the window's sample."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.failures import disturbing, failures_in, said_of
from pytest_llem.energy.known import known_mean, known_sum
from pytest_llem.energy.measured import WindowSample, ratio
from pytest_llem.energy.spans import together
from pytest_llem.energy.throttling import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.estimator.window import WindowEnergy
    from pytest_llem.energy.marks import Pass, WindowMark
    from pytest_llem.energy.sampling.trace import Trace

LIMIT_TOLERANCE = 1e-3
"""Relative; drivers report the power limit with noise in the last digit."""
LOOK_AFTER_NS = 500_000_000
"""What is seen of a device so soon after a window may have begun in it, since its last look."""
SLOWED_SHARE = 1e-3
"""Slowed for a smaller share of a window, a device hardly used another energy: that is said, and
the window counts."""


def window_sample(mark: WindowMark, traces: Sequence[Trace]) -> WindowSample:
    """What a window came to: energy summed over the devices, work over the passes."""
    void = _void(mark)
    lasting = traces if mark.end_ns > mark.start_ns else []
    energies = [estimate_window(trace, mark.start_ns, mark.end_ns) for trace in lasting]
    seen = [_facts_of(trace, mark) for trace in traces]
    duration_s = max(mark.end_ns - mark.start_ns, 0) / 1e9
    around = [
        [*facts, *_facts_after(trace, mark)] for trace, facts in zip(traces, seen, strict=True)
    ]
    disturbances = list(_disturbances(traces, around, duration_s))
    failures = failures_in(mark.passes)
    if disturbing(failures):
        disturbances.append(said_of(failures))
    energy_j = known_sum(energy.energy_j for energy in energies)
    return WindowSample(
        phase=mark.phase,
        index=mark.index,
        start_ns=mark.start_ns,
        end_ns=mark.end_ns,
        duration_s=duration_s,
        passes=len(mark.passes),
        energy_j=energy_j,
        energy_uncertainty_j=together(energies),
        counter_energy_j=known_sum(energy.counter_energy_j for energy in energies),
        integrated_energy_j=known_sum(energy.integrated_energy_j for energy in energies),
        power_w=ratio(energy_j, duration_s),
        requests=_total(one.requests for one in mark.passes),
        input_tokens=_total(one.input_tokens for one in mark.passes),
        output_tokens=_total(one.output_tokens for one in mark.passes),
        ttft_s=known_mean([one.ttft_s for one in mark.passes]),
        itl_s=known_mean([one.itl_s for one in mark.passes]),
        temperature_c=_hottest(seen),
        sm_clock_mhz=known_mean([fact.sm_clock_mhz for facts in seen for fact in facts]),
        power_limit_w=known_sum(facts[-1].power_limit_w if facts else None for facts in seen),
        throttle_reasons=_throttle_reasons(seen),
        valid=all(energy.valid for energy in energies) and not disturbances and not void,
        warnings=(
            *([void] if void else []),
            *_warnings(lasting, energies),
            *_silences(traces, mark),
            *_oddities(traces, around, duration_s),
            *([] if disturbing(failures) or not failures.failed else [said_of(failures)]),
            *disturbances,
        ),
        finish_reasons=_finish_reasons(mark.passes),
        output_length=mark.output_length,
    )


def _void(mark: WindowMark) -> str:
    """Why figures of a pass cannot come from the window, else nothing."""
    if mark.end_ns <= mark.start_ns:
        return (
            f"{mark.phase} window {mark.index} ends {(mark.start_ns - mark.end_ns) / 1e9:g} s before "
            "it begins, so that there is no time in it to measure"
        )
    if not mark.passes:
        return (
            f"no pass of the workload ended in {mark.phase} window {mark.index}, so that its energy "
            "is that of none"
        )
    return ""


def _facts_of(trace: Trace, mark: WindowMark) -> list[Facts]:
    """Facts taken inside the window, after the last one before it."""
    before = [fact for fact in trace.facts if fact.time_ns <= mark.start_ns]
    inside = [fact for fact in trace.facts if mark.start_ns < fact.time_ns <= mark.end_ns]
    return [*before[-1:], *inside]


def _facts_after(trace: Trace, mark: WindowMark) -> list[Facts]:
    """The first look after the window, if it came soon."""
    soon_ns = mark.end_ns + LOOK_AFTER_NS
    return [fact for fact in trace.facts if mark.end_ns < fact.time_ns <= soon_ns][:1]


def _disturbances(
    traces: Sequence[Trace], seen: Sequence[list[Facts]], duration_s: float
) -> Iterator[str]:
    """What makes a window invalid although its energy is known."""
    for trace, facts in zip(traces, seen, strict=True):
        harmful = _harmful(facts)
        if harmful:
            yield f"{trace.device.uuid} was throttled: {', '.join(harmful)}"
        elif (slowed_s := _slowed_s(facts)) > SLOWED_SHARE * duration_s:
            yield _slowed(trace, slowed_s)
        if foreign := _foreign(facts):
            yield f"{trace.device.uuid} also computed for others: {foreign}"
        limits = [fact.power_limit_w for fact in facts if fact.power_limit_w is not None]
        if limits and max(limits) - min(limits) > LIMIT_TOLERANCE * max(limits):
            yield f"the power limit of {trace.device.uuid} changed {_change(limits)}"


def _change(limits: Sequence[float]) -> str:
    """From the first to the last by way of the one that is furthest from both."""
    first_w, last_w = limits[0], limits[-1]
    far_w = max(limits, key=lambda limit: min(abs(limit - first_w), abs(limit - last_w)))
    slack_w = LIMIT_TOLERANCE * max(limits)
    if min(abs(far_w - first_w), abs(far_w - last_w)) <= slack_w:
        return f"from {first_w:g} W to {last_w:g} W"
    if abs(last_w - first_w) <= slack_w:
        return f"from {first_w:g} W to {far_w:g} W and back"
    return f"from {first_w:g} W to {far_w:g} W and to {last_w:g} W"


def _oddities(
    traces: Sequence[Trace], seen: Sequence[list[Facts]], duration_s: float
) -> Iterator[str]:
    """What is said of a window that counts all the same."""
    for trace, facts in zip(traces, seen, strict=True):
        if not _harmful(facts) and 0 < (slowed_s := _slowed_s(facts)) <= SLOWED_SHARE * duration_s:
            yield _slowed(trace, slowed_s)
        wraps = [fact.wraps for fact in facts if fact.wraps is not None]
        if wraps and wraps[-1] > wraps[0]:
            yield f"{trace.device.uuid}: the energy counter wrapped and was carried on"
        if strangers := _strangers(facts):
            yield (
                f"{trace.device.uuid} computed for {strangers}, and it cannot be told whether for "
                "others or for the experiment under other numbers"
            )


def _silences(traces: Sequence[Trace], mark: WindowMark) -> Iterator[str]:
    """Devices that gave nothing at all in the window, though they do at other times."""
    for trace in traces:
        count = len(trace)
        first = bisect_right(trace.after_ns, mark.start_ns, 0, count)
        last = bisect_left(trace.before_ns, mark.end_ns, 0, count)
        for name, column in (("energy", trace.energy_j), ("power", trace.power_w)):
            inside = column[first:last]
            if not inside or not all(map(math.isnan, inside)):
                continue
            if not all(map(math.isnan, column[:count])):
                yield (
                    f"{trace.device.uuid}: none of {len(inside)} readings gave any {name} but zero, "
                    "which is no answer"
                )


def _harmful(facts: Sequence[Facts]) -> list[str]:
    reasons = {reason for fact in facts for reason in fact.throttle_reasons or ()}
    return sorted(reasons - HARMLESS)


def _slowed_s(facts: Sequence[Facts]) -> float:
    slowed = [fact.slowed_ns for fact in facts if fact.slowed_ns is not None]
    return (slowed[-1] - slowed[0]) / 1e9 if slowed else 0.0


def _slowed(trace: Trace, seconds: float) -> str:
    return (
        f"{trace.device.uuid} was slowed for {seconds:.3g} s by heat, a brake or a limit of its "
        "board, between two looks"
    )


def _foreign(facts: Sequence[Facts]) -> str:
    """Processes that are not the experiment's, by number."""
    return _numbered({pid for fact in facts for pid in fact.foreign_processes or ()})


def _strangers(facts: Sequence[Facts]) -> str:
    """Processes of which it is not known whose they are, by number."""
    looks = [fact for fact in facts if fact.foreign_processes is None]
    return _numbered({pid for fact in looks for pid in fact.processes or ()})


def _numbered(pids: set[int]) -> str:
    if not pids:
        return ""
    numbers = ", ".join(map(str, sorted(pids)))
    return f"process {numbers}" if len(pids) == 1 else f"processes {numbers}"


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


def _total(values: Iterable[int | None]) -> int | None:
    total = known_sum(values)
    return None if total is None else round(total)
