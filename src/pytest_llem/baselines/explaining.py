"""One line that explains a verdict: what was compared, how surely, and what moved."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.baselines.assessment import reasons_against
from pytest_llem.baselines.decomposition import because
from pytest_llem.baselines.family import CONFIDENCE, FAMILY_ALPHA
from pytest_llem.baselines.metrics import Metric, metric_named
from pytest_llem.baselines.recorded.assessing import Distances, mean_of
from pytest_llem.baselines.recorded.explaining import explain_recorded, recorded_amounts
from pytest_llem.baselines.statistics import location

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.baselines.assessment import Assessment
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.samples import Side
    from pytest_llem.baselines.verdict import Verdict

UPDATE = "--llem-update-baselines"
DIFFERENCES_SHOWN = 4
MOST_DECIMALS = 6
_SCALES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"))


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and what led to it."""

    verdict: Verdict
    assessment: Assessment | Distances | None
    """``None`` if nothing was compared."""
    detectable: float | None
    """Minimum detectable change, relative."""
    limit: float | None = None
    """The same with any number of processes, where that is what is in the way."""


def explain(comparison: Comparison, finding: Finding) -> str:
    """The explanation of *finding*, in one line."""
    found = finding.assessment
    if found is None:
        return _without_comparison(comparison)
    if isinstance(found, Distances):
        told = explain_recorded(comparison, found)
        return "; ".join([*told, *_verdict_note(finding, stored=not comparison.same_session)])
    parts = [
        _compared(comparison, found),
        _numbers(comparison),
        *because(comparison),
        *_anchors(comparison, found),
        *_verdict_note(finding, stored=not comparison.same_session),
        *_differing(comparison.differ),
        _assumed(found),
    ]
    return "; ".join(part for part in parts if part)


def lies(comparison: Comparison, side: Side | None) -> float | None:
    """Where one side of *comparison* lies, in the metric's unit; ``None`` if that is unknown."""
    return mean_of(side) if comparison.is_recorded else typical(side)


def typical(side: Side | None) -> float | None:
    """Where a side lies, in the metric's unit; ``None`` if it has no positive values."""
    if side is None or not side.known or not all(value > 0 for value in side.values):
        return None
    return math.exp(location(side))


def _without_comparison(comparison: Comparison) -> str:
    metric = metric_named(comparison.rule.metric)
    if reasons := reasons_against(comparison):
        return f"{metric.name} was not compared: {'; '.join(reasons)}"
    value = lies(comparison, comparison.candidate)
    said = "" if value is None else f"{amounts([value], metric, comparison.unit)}; "
    return f"{said}no baseline yet, {UPDATE} stores one"


def _compared(comparison: Comparison, found: Assessment) -> str:
    if comparison.rule.limit is not None:
        value = amounts([found.candidate], metric_named(comparison.rule.metric))
        return f"{value}, {_change(found)} from the limit {comparison.rule.tolerance}"
    return f"{_values(comparison, found)}, {_change(found)} at tolerance {_tolerance(comparison)}"


def _values(comparison: Comparison, found: Assessment) -> str:
    metric = metric_named(comparison.rule.metric)
    phase = "" if metric.phase == "whole" else f"{metric.phase} "
    return phase + amounts([found.baseline, found.candidate], metric)


def amounts(values: Sequence[float], metric: Metric, unit: str = "") -> str:
    """Values with an arrow between them, in a unit that reads well; positive, unless recorded.

    *unit* is that of a recorded figure.
    """
    if metric.is_recorded:
        return recorded_amounts(values, unit)
    factor, prefix = 1.0, ""
    if metric.has_prefixes:
        largest = max(values)
        usual = 1.0 if metric.unit == "s" else 0.01
        fitting = (scale for scale in _SCALES if largest >= usual * scale[0])
        factor, prefix = next(fitting, _SCALES[-1])
    numbers = " → ".join(_number(value / factor) for value in values)
    return f"{numbers} {prefix}{metric.unit}".rstrip()


def _number(value: float) -> str:
    """Three significant digits, without an exponent where that can be read."""
    digits = 2 - math.floor(math.log10(value))
    if digits > MOST_DECIMALS:
        return f"{value:.3g}"
    return f"{value:.{max(0, digits)}f}"


def _change(found: Assessment) -> str:
    low, high = found.interval
    return f"{_percent(found.change)} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _percent(change: float) -> str:
    return f"{100 * change:+.1f} %"


def _tolerance(comparison: Comparison) -> str:
    said = re.sub(r"\s*%", " %", comparison.rule.tolerance)
    return f"{said} (not gated)" if comparison.rule.informational else said


def _numbers(comparison: Comparison) -> str:
    now = len(comparison.candidate.samples)
    before = len(comparison.baseline.samples) if comparison.baseline else 0
    sessions = len(comparison.baseline.sessions) if comparison.baseline else 0
    spread = f" of {sessions} sessions" if sessions > 1 else ""
    against = "" if comparison.rule.limit is not None else f" against {before}{spread}"
    return f"{now} process{'es' if now > 1 else ''}{against}, {CONFIDENCE:.0%} interval".replace(
        "%", " %"
    )


def _anchors(comparison: Comparison, found: Assessment) -> Iterator[str]:
    """What the fixed loops of both sessions showed, and whether it was taken off."""
    if comparison.no_anchors:
        yield comparison.no_anchors
    if not comparison.loops:
        return
    each = ", ".join(f"{loop} {_percent(moved)}" for loop, moved in comparison.loops.items())
    if not found.anchors_moved:
        yield f"anchors moved ({each}), not taken off: sessions vary no less without"
        return
    verb, noun = _ANCHORED.get(metric_named(comparison.rule.metric).unit[:1], ("moved", ""))
    moved = f"{_percent(found.anchors_moved)} {noun}".rstrip()
    yield f"anchors {verb} {moved} in this session ({each}), taken off"


_ANCHORED = {
    "J": ("drew", "energy"),
    "W": ("drew", "power"),
    "s": ("took", "time"),
    "t": ("ran", ""),
}
"""What loops do for the same work, by the first letter of the metric's unit."""


def _verdict_note(finding: Finding, *, stored: bool) -> Iterator[str]:
    if finding.verdict == "improved" and stored:
        yield f"the baseline is behind, {UPDATE} refreshes it"
    if finding.verdict != "inconclusive" or finding.assessment is None:
        return
    if finding.assessment.p_worse <= FAMILY_ALPHA:
        yield "worse than tolerated taken alone, but not surely so among all experiments gated together"
    if finding.detectable is not None:
        yield f"could have shown {_percent(finding.detectable)}"
    if finding.limit is not None:
        yield (
            f"no number of processes would show less than {_percent(finding.limit)}, since days "
            "differ: measure both sides in one session, or the baseline in several"
        )


def _differing(differ: Sequence[str]) -> Iterator[str]:
    yield from differ[:DIFFERENCES_SHOWN]
    if len(differ) > DIFFERENCES_SHOWN:
        yield f"{len(differ) - DIFFERENCES_SHOWN} more differences"


def _assumed(found: Assessment) -> str:
    """The variations that no data of this comparison speak about."""
    assumed = [f"{100 * sd:.2g} % between {source}" for source, sd in found.assumed]
    return f"assumed: {', '.join(assumed)}" if assumed else ""
