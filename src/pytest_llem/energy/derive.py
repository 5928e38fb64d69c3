"""From marks and traces to figures: the one function, live and for stored runs alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import LONE_WINDOW, counted, figures_of
from pytest_llem.energy.floor.floor import floor_of
from pytest_llem.energy.latency import latencies_of
from pytest_llem.energy.measured import Measured
from pytest_llem.energy.phases.phases import phases_of
from pytest_llem.energy.samples import window_sample
from pytest_llem.energy.scopes import beside_of, capability_of, groups_of, total_of
from pytest_llem.energy.traffic import (
    latencies_in,
    traffic_of,
    traffic_warnings,
    windows_that_count,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.energy.latency import Latencies
    from pytest_llem.energy.marks import Idle, MeasurementMarks, WarmUp
    from pytest_llem.energy.measured import ScopeFigures, WindowSample
    from pytest_llem.energy.sampling.trace import Trace


def derive_measured(marks: MeasurementMarks, traces: Sequence[Trace]) -> Measured:
    """All figures of one measurement. Pure: the same input gives the same output.

    Args:
        marks: what the measured process marked.
        traces: one per device whose energy is the experiment's. Those of one meter and scope
            are summed; the first such sum is the headline, the others stand beside it.

    Raises:
        MeterError: there is no trace, or traces that belong together were not read alike.
    """
    if marks.read_until_ns is not None:
        traces = [trace.until(marks.read_until_ns) for trace in traces]
    groups = groups_of(traces)
    group, capability = groups[0], capability_of(groups[0])
    samples = [window_sample(mark, group) for mark in marks.windows]
    whole = [sample for sample in samples if sample.phase == "whole"]
    figures = figures_of(whole, [group])
    prefill, decode = phases_of(marks, figures, samples, group)
    sampled = [whole, *(_whole(marks, one) for one in groups[1:])]
    beside = beside_of(groups, sampled, figures)
    traffic, latencies = traffic_of(marks, samples), _latencies(marks, samples)
    devices = [trace.device for trace in group]
    net = _net(figures, marks.idle)
    return Measured(
        **figures,
        name=marks.name,
        meter=group[0].meter,
        scope=capability.scope,
        method=capability.method,
        devices=tuple(device.uuid for device in devices),
        prefill=prefill,
        decode=decode,
        windows=tuple(samples),
        warm_up=marks.warm_up,
        steady_state_window=(whole[0].start_ns, whole[-1].end_ns) if whole else None,
        valid=figures["energy_j"] is not None,
        warnings=tuple(
            dict.fromkeys(
                (
                    *marks.differences,
                    *_warnings(samples, marks.warm_up, beside),
                    *_loneness(marks, whole),
                    *_contradicted(figures, marks.idle, net),
                    *_company(samples, group),
                    *traffic_warnings(traffic, latencies),
                )
            )
        ),
        floor=floor_of(marks.kind, figures, decode, devices, marks.model),
        idle=marks.idle,
        beside=beside,
        total=total_of(groups, sampled),
        traffic=traffic,
        latencies=latencies,
        **net,
    )


def _whole(marks: MeasurementMarks, group: Sequence[Trace]) -> list[WindowSample]:
    """Windows over the whole."""
    return [window_sample(mark, group) for mark in marks.windows if mark.phase == "whole"]


def _latencies(marks: MeasurementMarks, samples: Sequence[WindowSample]) -> Latencies | None:
    """Over the windows of the whole that the other figures are of."""
    opened = marks.traffic is not None and marks.traffic.rate_per_s is not None
    return latencies_of(
        latencies_in(one, opened=opened)
        for mark in windows_that_count(marks, samples)
        for one in mark.passes
    )


def _net(figures: dict[str, Any], idle: Idle | None) -> dict[str, float | None]:
    """Energy beyond idling for as long; unknown where one of the two is, or idling was none."""
    energy_j, duration_s = figures["energy_j"], figures["duration_s"]
    unknown: dict[str, float | None] = {"net_energy_j": None, "net_energy_uncertainty_j": None}
    if energy_j is None or idle is None or idle.power_w is None:
        return unknown
    idle_u_j = (idle.power_uncertainty_w or 0.0) * duration_s
    gross_u_j = figures["energy_uncertainty_j"]
    net_j = energy_j - idle.power_w * duration_s
    net_u_j = math.hypot(gross_u_j or 0.0, idle_u_j)
    if net_j < -net_u_j:
        return unknown
    return {
        "net_energy_j": net_j,
        "net_energy_uncertainty_j": None if gross_u_j is None else net_u_j,
    }


def _contradicted(
    figures: dict[str, Any], idle: Idle | None, net: dict[str, float | None]
) -> Iterator[str]:
    """Where devices drew less at work than while they are said to have idled."""
    known = idle is not None and idle.power_w is not None and figures["energy_j"] is not None
    if idle is not None and known and net["net_energy_j"] is None:
        yield (
            f"the devices drew {idle.power_w:.1f} W while they idled and {figures['power_w']:.1f} W "
            "under the load, so they did not idle: net energy is unknown. Keep the machine quiet "
            "while the model is loaded"
        )


def _loneness(marks: MeasurementMarks, whole: Sequence[WindowSample]) -> Iterator[str]:
    """Where repeats were to show how much windows scatter, and one is left.

    What ``energy.window`` encloses happens once; its interval is of that.
    """
    valid = counted(whole)
    if marks.kind != "window" and len(valid) == 1 and valid[0].energy_uncertainty_j is not None:
        yield LONE_WINDOW


def _company(samples: Sequence[WindowSample], traces: Sequence[Trace]) -> Iterator[str]:
    """Who else was on the devices while windows ran, where that spoils none, or is not known."""
    if not samples:
        return
    start_ns, end_ns = samples[0].start_ns, samples[-1].end_ns
    for trace in traces:
        facts = [fact for fact in trace.facts if start_ns <= fact.time_ns <= end_ns]
        drawing = sorted({pid for fact in facts for pid in fact.graphics_processes or ()})
        if drawing:
            yield (
                f"{trace.device.uuid} also drew for process {', '.join(map(str, drawing))}: what a "
                "display takes is in the figures"
            )
        tells = any(fact.throttle_reasons is not None for fact in facts)
        if tells and all(fact.processes is None for fact in facts):
            yield (
                f"{trace.device.uuid}: its driver does not tell which processes compute on it, so "
                "those of others go unseen"
            )


def _warnings(
    samples: Sequence[WindowSample], warm_up: WarmUp | None, beside: Sequence[ScopeFigures]
) -> Iterator[str]:
    if warm_up is not None and not warm_up.converged:
        yield f"the load was not steady before the first window: {warm_up.reason}"
    for phase in ("whole", "prefill", "length"):
        windows = [sample for sample in samples if sample.phase == phase]
        invalid = sum(not sample.valid for sample in windows)
        if invalid:
            yield f"{invalid} of {len(windows)} {phase} windows are invalid and left out"
    for sample in samples:
        yield from sample.warnings
    for one in beside:
        yield from one.warnings
