"""The grid in words, for a terminal: plain ASCII layout, at most as wide as asked."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.config.phases import described, phase_plan
from pytest_llem.config.traffic import SERVER
from pytest_llem.plan.duplicates import duplicates
from pytest_llem.plan.given_elsewhere import given_elsewhere
from pytest_llem.plan.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llem.plan.point import Point

MOST_LISTED = 5
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """One line; a *heading* may be shown in bold."""

    text: str
    heading: bool = False


def summary(
    groups: Mapping[str, Sequence[Point]],
    *,
    others: int,
    baselines: Mapping[str, Mapping[str, str]] | None = None,
    width: int = 80,
    repeats: int | None = None,
) -> list[Line]:
    """Describe *groups* of points, by test function or study.

    *others* is the number of tests that are no experiments. *baselines* tells
    for each group the state of the baseline (``have``, ``missing``, ...) by
    identity; ``None`` says nothing about baselines. Every point that can be run has
    *repeats* processes, or as many as it asks for itself where that is ``None``. Only ids
    are ever wider than *width*, so that they can be copied.
    """
    points = sum(map(len, groups.values()))
    head = f"{counted(points, 'point')} in {counted(len(groups), 'group')}"
    valid = [one for members in groups.values() for one in members if one.invalid is None]
    each = [repeats or point.repeats or 1 for point in valid]
    if sum(each) > len(valid):
        same = f"{each[0]} processes each: " if len(set(each)) == 1 else "processes: "
        head = f"{head}, {same}{sum(each)} in all"
    lines = [Line(f"dry run: {head}; nothing is loaded, nothing is measured", heading=True)]
    for group, members in groups.items():
        states = None if baselines is None else baselines.get(group, {})
        lines += [Line(""), Line(group, heading=True)]
        lines += [Line(text) for text in _group(members, states, width)]
    if others:
        lines += [Line(""), Line(f"{counted(others, 'other test')} not part of the grid")]
    return lines


def counted(number: int, noun: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _group(points: Sequence[Point], states: Mapping[str, str] | None, width: int) -> list[str]:
    repeated = duplicates(points)
    invalid = [point for point in points if point.invalid is not None]
    return [
        *_paragraph(_counts(len(points), len(invalid), len(repeated)), width),
        *_axes(points, width),
        *(line for said in given_elsewhere(points) for line in _paragraph(said, width)),
        *([] if states is None else _paragraph(_baselines(points, states), width)),
        *_paragraph(_windows(points), width),
        f"{INDENT}first  {points[0].node_id}",
        *([f"{INDENT}last   {points[-1].node_id}"] if len(points) > 1 else []),
        *_reasons("invalid", [(p.node_id, str(p.invalid)) for p in invalid], width),
        *_reasons("duplicate", [(p.node_id, f"repeats {o.node_id}") for p, o in repeated], width),
    ]


def _counts(points: int, invalid: int, repeated: int) -> str:
    notes = [f"{invalid} invalid"] * bool(invalid)
    notes += [counted(repeated, "duplicate")] * bool(repeated)
    return counted(points, "point") + (f", of which {' and '.join(notes)}" if notes else "")


def _axes(points: Sequence[Point], width: int) -> list[str]:
    seen: dict[str, dict[Any, str]] = {}
    for point in points:
        for path, value in point.axes.items():
            _note(seen, path, value)
        for name, token in point.own_arguments.items():
            _note(seen, f"{name} (own)", token)
    column = max(map(len, seen), default=0)
    return [
        _values(path.ljust(column), list(values.values()), width) for path, values in seen.items()
    ]


def _note(seen: dict[str, dict[Any, str]], path: str, value: Any) -> None:
    if path not in seen:
        seen[path] = {}
    try:
        if value in seen[path]:
            return
    except TypeError:  # a list or a mapping
        value = token_of(value)
    text = str(value)
    seen[path].setdefault(value, text if text.isprintable() else ascii(text)[1:-1])


def _values(name: str, values: list[str], width: int) -> str:
    """One line with as many values as fit, and their number if they do not."""
    start = f"{INDENT}{name}  "
    whole = start + ", ".join(values)
    if len(whole) <= width:
        return whole
    end = f", ... ({len(values)} values)"
    shown = start + _cut(values[0], width - len(start) - len(end))
    for value in values[1:]:
        if len(shown) + 2 + len(value) + len(end) > width:
            break
        shown += f", {value}"
    return shown + (end if len(values) > 1 else "")


def _cut(text: str, width: int) -> str:
    width = max(width, 8)
    return text if len(text) <= width else f"{text[: width - 3]}..."


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


def _baselines(points: Iterable[Point], states: Mapping[str, str]) -> str:
    counts: dict[str, int] = {}
    for identity in {point.identity: None for point in points if point.invalid is None}:
        state = states.get(identity, "unknown")
        counts[state] = counts.get(state, 0) + 1
    parts = [f"{number} {state}" for state, number in sorted(counts.items())]
    return f"baselines: {', '.join(parts) or 'none needed'}"


def _reasons(kind: str, reasons: list[tuple[str, str]], width: int) -> list[str]:
    lines = []
    for node_id, reason in reasons[:MOST_LISTED]:
        lines.append(f"{INDENT}{kind}: {node_id}")
        lines += _paragraph(reason, width, indent=2 * INDENT, cut=kind == "invalid")
    if len(reasons) > MOST_LISTED:
        lines.append(f"{INDENT}and {len(reasons) - MOST_LISTED} more {kind}")
    return lines


def _paragraph(text: str, width: int, *, indent: str = INDENT, cut: bool = True) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=cut,
        break_on_hyphens=False,
    )
