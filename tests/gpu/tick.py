"""How often the energy counter and the power reading show something new, and in what steps."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gpu.findings import UNDECIDED, Finding, quantile, summary_of
from gpu.recording import MS, SECOND, Column, column
from pytest_llem.energy.estimator.refreshes.refresh import observe

if TYPE_CHECKING:
    from gpu.load import Load
    from gpu.recording import Recorder
    from pytest_llem.energy.sampling.trace import Trace

CHECK = "tick"
LEAST_REFRESHES = 8
POLL_NS = 200_000
"""Between readings; a refresh is placed to within this and what a reading takes."""


def tick(recorder: Recorder, load: Load, trace: Trace, seconds: float) -> Finding:
    """Read some thousand times a second, first at rest, then under a steady load."""
    parts: dict[str, Any] = {}
    for name in ("idle", "busy"):
        if name == "busy":
            load.steady(recorder.clock(), seconds + 0.5)
            recorder.sleep(0.5)
        start_ns = recorder.clock()
        recorder.record_for(trace, seconds, POLL_NS)
        if name == "busy":
            load.wait()
        parts[name] = {
            "readings_per_s": _rate(trace, start_ns),
            "counter": refreshing(column(trace, "energy_j", start_ns), step="j"),
            "power": refreshing(column(trace, "power_w", start_ns), step="w"),
        }
    counter = parts["busy"]["counter"]
    if counter is None:
        return Finding(CHECK, "the energy counter was not seen to refresh", UNDECIDED, parts)
    power = parts["busy"]["power"]
    shown = "no power reading" if power is None else f"power every {_ms(power)} ms"
    verdict = (
        f"counter every {_ms(counter)} ms (p5 {counter['gap_ms']['p5']:.1f}, p95 "
        f"{counter['gap_ms']['p95']:.1f}), {counter['step_j']['p50']:.3g} J a step under load, "
        f"in units of {counter['quantum_mj']} mJ; {shown}"
    )
    return Finding(CHECK, verdict, figures=parts)


def refreshing(part: Column, step: str) -> dict[str, Any] | None:
    """Gaps between refreshes and the steps between values; ``None`` if hardly any was seen.

    Gaps are between the middles of the two readings that enclose a refresh, so each is as
    uncertain as those are apart.
    """
    seen = observe(part.before_ns, part.after_ns, part.values)
    if len(seen) < LEAST_REFRESHES:
        return None
    gaps = [(b.middle_ns - a.middle_ns) / MS for a, b in pairwise(seen)]
    steps = [b.value - a.value for a, b in pairwise(seen)]
    placed = part.refreshes()
    figures: dict[str, Any] = {
        "refreshes": len(seen),
        "period_ms": None if placed.period_ns is None else placed.period_ns / MS,
        "gap_ms": summary_of(gaps),
        "bracket_ms": quantile([refresh.width_ns / MS for refresh in seen], 0.5),
        f"step_{step}": summary_of(steps),
    }
    if step == "j":
        figures["quantum_mj"] = math.gcd(*(round(abs(value) * 1000) for value in steps))
    return figures


def _rate(trace: Trace, start_ns: int) -> float:
    count = sum(before >= start_ns for before in trace.before_ns)
    return count / max((trace.after_ns[-1] - start_ns) / SECOND, 1e-9)


def _ms(figures: dict[str, Any]) -> str:
    return f"{figures['period_ms'] or figures['gap_ms']['p50']:.2f}"
