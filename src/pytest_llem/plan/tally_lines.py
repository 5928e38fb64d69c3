"""A study too large for a table, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.plan.wording import INDENT, counted, note_value, paragraph, values_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.plan.stream import Tally

MOST_REASONS = 5


def tally_lines(
    group: str, axes: Mapping[str, Sequence[Any]], found: Tally, width: int
) -> Iterator[str]:
    """What was *found* of the study called *group*, at most *width* wide but for ids."""
    valid = found.points - sum(found.invalid.values())
    head = f"plan: {counted(found.points, 'point')}"
    if found.processes > valid:
        head += f", {found.processes} processes in all"
    yield f"{head}; nothing is loaded, nothing is measured"
    yield ""
    yield group
    yield from paragraph(_counts(found, valid), width)
    yield from _axes(axes, width)
    for word, node_id in zip(("first", "last "), found.edge, strict=False):
        yield f"{INDENT}{word}  {node_id}"
    for reason, number in found.invalid.most_common(MOST_REASONS):
        yield from paragraph(f"invalid, {number}: {reason}", width)
    if len(found.invalid) > MOST_REASONS:
        yield f"{INDENT}and {len(found.invalid) - MOST_REASONS} more reasons"
    for kind, names in found.first.items():
        yield from (f"{INDENT}{kind}: {name}" for name in names)


def _counts(found: Tally, valid: int) -> str:
    text = f"{valid} can be run"
    if invalid := sum(found.invalid.values()):
        text += f", {invalid} are invalid"
    if found.duplicates:
        text += f", {found.duplicates} repeat another"
    return text


def _axes(axes: Mapping[str, Sequence[Any]], width: int) -> Iterator[str]:
    seen: dict[str, dict[Any, str]] = {}
    for path, values in axes.items():
        for value in values:
            note_value(seen, path, value)
    column = max(map(len, seen), default=0)
    for path, texts in seen.items():
        yield values_line(path.ljust(column), list(texts.values()), width)
