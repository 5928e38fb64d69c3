"""The grid in words, for a terminal: plain ASCII layout, at most as wide as asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.config.phases import described, phase_plan
from pytest_llem.config.traffic import SERVER
from pytest_llem.plan.columns import Looked, table
from pytest_llem.plan.duplicates import duplicates
from pytest_llem.plan.given_elsewhere import given_elsewhere
from pytest_llem.plan.memory.fit import gib
from pytest_llem.plan.memory.survey import leaves_by_path, survey
from pytest_llem.plan.outlook import AllAre, Outlook
from pytest_llem.plan.totals import Totals
from pytest_llem.plan.wording import INDENT, counted, note_value, paragraph, values_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llem.config.leaves import Leaf
    from pytest_llem.plan.memory.fit import Fit
    from pytest_llem.plan.memory.survey import Survey
    from pytest_llem.plan.point import Point

    Leaves = Mapping[str, Sequence[Leaf]]
    States = Mapping[str, str] | AllAre

MOST_LISTED = 5
MOST_ROWS = 20
"""Points that are shown in a table; of more there are the first ones."""
FIRST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line; a *heading* may be shown in bold."""

    text: str
    heading: bool = False


def summary(
    groups: Mapping[str, Sequence[Point]],
    *,
    others: int,
    outlook: Outlook | None = None,
    width: int = 80,
    repeats: int | None = None,
) -> list[Line]:
    """Describe *groups* of points, by test function or study.

    *others* is the number of tests that are no experiments. *outlook* knows what is to be
    expected of the points. Every point that can be run has *repeats* processes, or as many as it
    asks for itself where that is ``None``. Only ids are ever wider than *width*, so that they
    can be copied.
    """
    outlook = outlook or Outlook()
    points = sum(map(len, groups.values()))
    head = f"{counted(points, 'point')} in {counted(len(groups), 'group')}"
    valid = [one for members in groups.values() for one in members if one.invalid is None]
    each = [point.processes(repeats) for point in valid]
    if sum(each) > len(valid):
        same = f"{each[0]} processes each: " if len(set(each)) == 1 else "processes: "
        head = f"{head}, {same}{sum(each)} in all"
    lines = [Line(f"dry run: {head}; nothing is loaded, nothing is measured", heading=True)]
    for group, members in groups.items():
        lines += [Line(""), Line(group, heading=True)]
        lines += [Line(text) for text in _group(members, outlook, width)]
    lines += _totals(groups, outlook, width, repeats)
    if others:
        lines += [Line(""), Line(f"{counted(others, 'other test')} not part of the grid")]
    return lines


def _group(points: Sequence[Point], outlook: Outlook, width: int) -> list[str]:
    repeated = duplicates(points)
    invalid = [point for point in points if point.invalid is not None]
    valid = [point for point in points if point.invalid is None] if invalid else points
    states = None if outlook.baselines is None else outlook.baselines(valid)
    by_path = leaves_by_path(points)
    return [
        *paragraph(_counts(len(points), len(invalid), len(repeated)), width),
        *_axes(points, by_path, width),
        *(line for said in given_elsewhere(points) for line in paragraph(said, width)),
        *([] if states is None else paragraph(_baselines(valid, states, len(repeated)), width)),
        *_memory(valid, by_path, outlook, width),
        *paragraph(_windows(points), width),
        f"{INDENT}first  {points[0].node_id}",
        *([f"{INDENT}last   {points[-1].node_id}"] if len(points) > 1 else []),
        *_table(valid, states, outlook, width),
        *_reasons("invalid", [(p.node_id, str(p.invalid)) for p in invalid], width),
        *_reasons("duplicate", [(p.node_id, f"repeats {o.node_id}") for p, o in repeated], width),
    ]


def _table(
    valid: Sequence[Point], states: States | None, outlook: Outlook, width: int
) -> list[str]:
    shown = valid if len(valid) <= MOST_ROWS else valid[:FIRST_ROWS]
    if outlook.fits is None and outlook.forecaster is None:
        return []
    lines = table([look(point, states, outlook) for point in shown], width, INDENT)
    more = len(valid) - len(shown)
    if lines and more:
        lines.append(f"{INDENT}and {counted(more, 'more point')}; --llem-plan-json=PATH has all")
    return lines


def look(point: Point, states: States | None, outlook: Outlook) -> Looked:
    """All that is known of one point that can be run."""
    fit = outlook.fits.of(point.config) if outlook.fits and point.config else None
    forecast = outlook.forecaster.of(point) if outlook.forecaster else None
    return Looked(point, states.get(point.identity) if states else None, fit, forecast)


def _memory(
    valid: Sequence[Point], by_path: Leaves | None, outlook: Outlook, width: int
) -> list[str]:
    if outlook.fits is None or not valid:
        return []
    found = survey(valid, by_path, outlook.fits, MOST_LISTED + 1)
    lines = paragraph(f"memory: {_verdicts(found)}", width)
    for why, number in found.unknown.most_common(MOST_LISTED):
        lines += paragraph(f"{number} unknown: {why}", width, indent=2 * INDENT)
    for verdict in ("does not fit", "tight"):
        listed = [(p.node_id, str(fit.reason)) for p, fit in found.listed if fit.verdict == verdict]
        lines += _reasons(verdict, listed, width, of=found.verdicts[verdict])
    return lines


def _verdicts(found: Survey) -> str:
    counts = [f"{number} {_plural(verdict, number)}" for verdict, number in found.verdicts.items()]
    text = ", ".join(counts)
    return f"{text}; {_fullest(found.most)}" if found.most is not None else text


def _plural(verdict: str, number: int) -> str:
    words = {"fits": ("fits", "fit"), "does not fit": ("does not fit", "do not fit")}
    return words.get(verdict, (verdict, verdict))[number > 1]


def _fullest(fit: Fit) -> str:
    need, foot = fit.need, fit.footprint
    if need is None or foot is None:
        return ""
    text = f"at most {gib(need.total_bytes)}"
    if fit.room is not None:
        each = f"each of {fit.room.devices} × " if fit.room.devices > 1 else ""
        text += f" of the {gib(fit.room.total_bytes)} of {each}{fit.room.name}"
    text += f" (weights {gib(need.weights_bytes)} in {foot.stored_as}"
    text += ", approximate" if foot.approximate else ""
    if need.cache_bytes is not None:
        text += f", cache {gib(need.cache_bytes)}"
    assumed = need.activation_bytes + need.overhead_bytes
    return f"{text}; {gib(assumed)} for activations and engine is an assumption)"


def _totals(
    groups: Mapping[str, Sequence[Point]], outlook: Outlook, width: int, repeats: int | None
) -> list[Line]:
    if outlook.forecaster is None or not groups:
        return []
    hopeless = outlook.forecaster.hopeless()
    if hopeless is not None:
        said = f"in all: time ?, GPU hours ?, energy ?: {hopeless}"
        return [Line(""), *map(Line, paragraph(said, width, indent=""))]
    valid = [point for points in groups.values() for point in points if point.invalid is None]
    totals, reasons = Totals(), Counter[str]()
    for point in valid:
        forecast = outlook.forecaster.of(point)
        totals.add(forecast, point.processes(repeats))
        if forecast.origin == "unknown":
            reasons[forecast.how] += 1
    why = [f"unknown for {n}: {text}" for text, n in reasons.most_common(MOST_LISTED)]
    lines = [line for text in totals.lines(why) for line in paragraph(text, width, indent="")]
    return [Line(""), *map(Line, lines)]


def _counts(points: int, invalid: int, repeated: int) -> str:
    notes = [f"{invalid} invalid"] * bool(invalid)
    notes += [counted(repeated, "duplicate")] * bool(repeated)
    return counted(points, "point") + (f", of which {' and '.join(notes)}" if notes else "")


def _axes(points: Sequence[Point], by_path: Leaves | None, width: int) -> list[str]:
    seen: dict[str, dict[Any, str]] = {}
    if by_path is not None:
        for path, leaves in by_path.items():
            for leaf in leaves:
                note_value(seen, path, leaf.plain)
    else:
        for point in points:
            for path, value in point.axes.items():
                note_value(seen, path, value)
            for name, token in point.own_arguments.items():
                note_value(seen, f"{name} (own)", token)
    column = max(map(len, seen), default=0)
    return [
        values_line(path.ljust(column), list(values.values()), width)
        for path, values in seen.items()
    ]


def _windows(points: Iterable[Point]) -> str:
    """Windows of the first point that can be run; empty if none can."""
    config = next((point.config for point in points if point.config is not None), None)
    if config is None:
        return ""
    settings = config.measurement
    text = f"first has {counted(settings.windows, 'window')} of {settings.window_s:g} s or more"
    if config.backend == SERVER:
        return f"{text}, of requests in {config.traffic.said(config.batch_size)}"
    others = described(phase_plan(settings, [config.output_tokens]))
    return f"{text}, and with a model {others}" if others else text


def _baselines(valid: Sequence[Point], states: States, repeated: int) -> str:
    counts: dict[str, int] = {}
    if isinstance(states, AllAre):
        counts = {states.state: len(valid) - repeated} if valid else {}
    else:
        for identity in {point.identity: None for point in valid}:
            state = states.get(identity, "unknown")
            counts[state] = counts.get(state, 0) + 1
    parts = [f"{number} {state}" for state, number in sorted(counts.items())]
    return f"baselines: {', '.join(parts) or 'none needed'}"


def _reasons(
    kind: str, reasons: list[tuple[str, str]], width: int, of: int | None = None
) -> list[str]:
    """At most :data:`MOST_LISTED` of *reasons*, which are some of *of* (``None``: all there are)."""
    lines = []
    for node_id, reason in reasons[:MOST_LISTED]:
        lines.append(f"{INDENT}{kind}: {node_id}")
        lines += paragraph(reason, width, indent=2 * INDENT, cut=kind == "invalid")
    more = (len(reasons) if of is None else of) - min(len(reasons), MOST_LISTED)
    if more > 0 and lines:
        lines.append(f"{INDENT}and {more} more {kind}")
    return lines
